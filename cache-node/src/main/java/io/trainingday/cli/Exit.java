package io.trainingday.cli;

import java.util.LinkedHashMap;
import java.util.Map;

/** The exit codes of all verbs. Stable: scripts rely on them. */
enum Exit {
  OK(0, "done"),
  WRONG(1, "it failed, or what was looked for is wrong: the output says what"),
  USAGE(2, "wrong options, files or settings"),
  UNREACHABLE(3, "no node answers, or one that is needed for the whole answer does not"),
  REFUSED(4, "the node refuses: the token, its role, or what was asked for"),
  UNCONFIRMED(5, "nothing was done: the answer was no, or nobody could be asked without --yes");

  private final int code;
  private final String meaning;

  Exit(int code, String meaning) {
    this.code = code;
    this.meaning = meaning;
  }

  int code() {
    return code;
  }

  String meaning() {
    return meaning;
  }

  /** All of them as the help shows them, that of a signal included. */
  static Map<String, String> list() {
    Map<String, String> list = new LinkedHashMap<>();
    for (Exit exit : values()) {
      list.put(Integer.toString(exit.code), exit.meaning);
    }
    list.put("128+n", "ended by signal n, after stopping in order");
    return list;
  }
}

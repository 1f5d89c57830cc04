package io.trainingday.config.format;

class YamlFormatTest extends FormatKit {
  @Override
  String extension() {
    return "yaml";
  }

  @Override
  String memoryMaxSize(String text) {
    return "memory:\n  maxSize: " + text + "\n";
  }

  @Override
  String unknownKey(String name) {
    return name + ": 1\n";
  }

  @Override
  String whole(String lines) {
    return lines;
  }
}

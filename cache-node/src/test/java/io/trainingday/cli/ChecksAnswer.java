package io.trainingday.cli;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A test that holds answers of these verbs against their schemas, through {@link AnswerSchemas}; it
 * fails when it has not.
 */
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(AnswerSchemas.Checked.class)
public @interface ChecksAnswer {
  /** Verbs as they are written behind {@code training-day}. */
  String[] value();
}

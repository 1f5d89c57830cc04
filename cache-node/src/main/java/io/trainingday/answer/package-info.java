/** What a verb answers: text for people, or JSON for programs. */
@NullMarked
package io.trainingday.answer;

import org.jspecify.annotations.NullMarked;

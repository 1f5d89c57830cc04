package io.trainingday.djl;

import ai.djl.translate.Transform;

/**
 * A transform that gives another result each time, such as an augmentation.
 *
 * <p>Mark your own with it: a cache would otherwise store one result and give it out forever. A
 * transform whose class is called {@code Random…}, or that holds a random generator or such a
 * transform in a field, is recognised without the mark.
 */
public interface RandomTransform extends Transform {}

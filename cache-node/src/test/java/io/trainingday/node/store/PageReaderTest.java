package io.trainingday.node.store;

import org.apache.ignite.Ignite;

/** {@link PageReader} keeps the contract. */
class PageReaderTest extends StoreContract {
  @Override
  RecordStore open(Ignite ignite, String cacheName) {
    return IgniteRecordStore.withPageReader(ignite, cacheName);
  }
}

package io.trainingday.node.store;

import org.apache.ignite.Ignite;

/** {@link PageReader} keeps the contract. */
class PageReaderTest extends StoreContract {
  @Override
  RecordStores open(Ignite ignite) {
    return RecordStores.withPageReader(ignite);
  }

  @Override
  boolean readsBackups() {
    return true;
  }
}

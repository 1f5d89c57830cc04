package io.trainingday.node.store;

import org.apache.ignite.Ignite;

/** {@link PublicReader} keeps the contract. */
class PublicReaderTest extends StoreContract {
  @Override
  RecordStores open(Ignite ignite) {
    return RecordStores.withPublicReader(ignite);
  }

  @Override
  boolean readsBackups() {
    return false;
  }
}

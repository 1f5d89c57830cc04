package io.trainingday.node.store;

import org.apache.ignite.Ignite;

/** {@link PublicReader} keeps the contract. */
class PublicReaderTest extends StoreContract {
  @Override
  RecordStore open(Ignite ignite, String cacheName) {
    return IgniteRecordStore.withPublicReader(ignite, cacheName);
  }
}

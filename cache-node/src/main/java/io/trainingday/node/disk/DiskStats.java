package io.trainingday.node.disk;

/**
 * What a disk tier holds and has done since it was opened.
 *
 * @param records kept
 * @param recordBytes of them, from their first byte to their last
 * @param usedBytes of all files, see {@link DiskStore#usedBytes}
 * @param budgetBytes the most they may be
 * @param refusedBudget writes refused because the budget was used up
 * @param refusedDiskFull writes refused because the file system was full, or failed
 * @param refusedTooLarge writes refused because no record may be so large
 * @param damaged records found damaged, by this store or by {@link DiskStore#removeDamaged}
 * @param rewrittenBytes that were written again to free the space of removed records around them
 */
public record DiskStats(
    long records,
    long recordBytes,
    long usedBytes,
    long budgetBytes,
    long refusedBudget,
    long refusedDiskFull,
    long refusedTooLarge,
    long damaged,
    long rewrittenBytes) {}

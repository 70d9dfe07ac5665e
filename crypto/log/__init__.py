"""The transparency log's values: tree, tiles, proofs, signed notes, checkpoints, cosignatures, proof files."""

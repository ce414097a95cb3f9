// What the settings of this directory are called in a run file, and which values they may have.
#include "config/schema.h"
#include "data/chunk_source.h"
#include "data/loader.h"
#include "data/source_table.h"
#include "data/split.h"

namespace cellmill::data {

void describe(config::Schema& s, SourceOptions& o) {
  std::vector<std::string> formats = {"auto"};
  for (const SourceFormat& format : source_table()) formats.push_back(format.name);
  s.field("format", o.format, "file format; auto: by the path", config::one_of(formats));
  s.field("path", o.path,
          "folder of .npz chunks, an .h5ad file, a store that cellmill pack made, a .csv or .tsv "
          "table, a 10x folder with matrix.mtx, or a token store (.h5)");
  s.field("pattern", o.pattern, "npz: which files of the folder are expression",
          config::not_empty());
  s.field(
      "metadata", o.metadata,
      "folder that tools/preprocess_metadata wrote; empty: <path>/preproc (npz) or the file's own "
      "labels (h5ad); none: cells without labels");
  s.field("fields", o.fields,
          "conditioning fields, in order; empty: those marked `using` (h5ad: must be named)");
  s.field("genes", o.genes, "npz: text file, one gene a line; empty: <path>/genes.txt");
  s.field("layer", o.layer, "h5ad: empty for X, raw for raw/X, or the name of a layer");
  s.field("chunk_cells", o.chunk_cells, "pack, h5ad, tokens, synthetic: cells of a chunk",
          config::at_least(1));
  s.field("verify", o.verify,
          "compare digests: of label codes when they are opened, of a store's blocks when they are "
          "read");
  s.field("raw_counts", o.raw_counts,
          "the values are counts: normalise them to log1p of counts per 10,000");
  s.field("orientation", o.orientation, "csv: what a row is; auto: by the names of genes",
          config::one_of({"auto", "genes_by_samples", "samples_by_genes"}));
  s.field("synthetic_cells", o.synthetic_cells, "synthetic: cells", config::not_negative());
  s.field("synthetic_genes", o.synthetic_genes, "synthetic: genes", config::at_least(2));
  s.field("synthetic_categories", o.synthetic_categories, "synthetic: categories of each field",
          config::at_least(1));
  s.field("synthetic_fields", o.synthetic_fields,
          "synthetic: names of these fields; empty: cell_type, tissue, assay, sex, field_5, ...");
  s.field("synthetic_held_out", o.synthetic_held_out,
          "synthetic: combinations that no cell has, for example cell_type_2+perturbation_1");
  s.field("synthetic_density", o.synthetic_density,
          "synthetic: fraction of entries that are not zero", config::between(0.001, 0.99));
  s.field("synthetic_missing", o.synthetic_missing, "synthetic: fraction of labels left out",
          config::fraction());
  s.field("synthetic_counts", o.synthetic_counts,
          "synthetic: give counts, as the factor model takes them");
  s.field("synthetic_seed", o.synthetic_seed, "synthetic: seed of effects and cells");
}

void describe(config::Schema& s, LoaderOptions& o) {
  s.field("prefetch_chunks", o.prefetch_chunks,
          "deflated files, which are read whole: at least so many chunks decoded ahead",
          config::not_negative());
  s.field("threads", o.threads, "background threads that read and gather", config::between(1, 64));
  s.field("memory_mb", o.memory_mb,
          "rows held in memory, read ahead or kept; those of one buffer always are",
          config::at_least(1));
  s.field("block_cells", o.block_cells,
          "consecutive cells that are read together; 0: a whole chunk", config::not_negative());
  s.field("buffer_cells", o.buffer_cells,
          "cells shuffled together, over all ranks; 0: one block at a time",
          config::not_negative());
  s.field("order", o.order, "mixed: blocks of all chunks; chunk: one whole chunk at a time",
          config::one_of({"mixed", "chunk"}));
}

void describe(config::Schema& s, SplitOptions& o) {
  s.field("validation_fraction", o.validation_fraction,
          "cells held out, by a keyed hash of their number", config::below_one());
  s.field("validation_chunks", o.validation_chunks,
          "chunks held out whole, counted from 0 in the order of the files; if given, "
          "validation_fraction is not used",
          config::not_negative());
  s.field("seed", o.seed, "key of the hash");
}

}  // namespace cellmill::data

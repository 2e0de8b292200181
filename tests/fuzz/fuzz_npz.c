/* SPDX-License-Identifier: MIT */
/* Fuzz target of NumPy's archives. Checksums stop most of what a fuzzer changes; what is stored is changed
 * with its checksum by chance only, but every offset and size of the archive is the fuzzer's to choose. */
#include "bounded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    size_t most = 1032 * (bytes + 1) * 4;
    stoa_context *context = bounded_context(&most);
    stoa_dataset *dataset = NULL;
    if (context &&
        stoa_dataset_from_npz_memory(context, "z", data, bytes, "x", "y", NULL, &dataset) == STOA_OK) {
        bounded_read(dataset);
    }
    stoa_context_free(context);
    return 0;
}

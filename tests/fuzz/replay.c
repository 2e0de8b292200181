/* SPDX-License-Identifier: MIT */
/* Feeds every file of a folder to a fuzz target, in the order of their names, so that a corpus is a test
 * without a fuzzer. Linked with one target. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int is_seed(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

int main(int count, char **arguments) {
    if (count != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", arguments[0]);
        return 2;
    }
    struct dirent **entries = NULL;
    int files = scandir(arguments[1], &entries, is_seed, alphasort);
    if (files <= 0) {
        (void)fprintf(stderr, "%s: no files in it\n", arguments[1]);
        return 2;
    }
    for (int i = 0; i < files; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", arguments[1], entries[i]->d_name);
        struct stoa_error error = {0};
        void *data = NULL;
        size_t bytes = 0;
        if (stoa_file_read(&error, path, (size_t)1 << 24, &data, &bytes) != STOA_OK) {
            (void)fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        /* On stderr and unbuffered: a crash still names its file. */
        (void)fprintf(stderr, "%s\n", path);
        (void)LLVMFuzzerTestOneInput(data, bytes);
        free(data);
        free(entries[i]);
    }
    free(entries);
    (void)printf("%d files replayed\n", files);
    return 0;
}

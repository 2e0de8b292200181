/* SPDX-License-Identifier: MIT */
/* A folder of its own for a test's files, removed afterwards, and the few things tests do with files in it.
 */
#ifndef STOA_TESTS_BASE_SCRATCH_H
#define STOA_TESTS_BASE_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
    char folder[64];
    char path[8][512]; /* a ring, so that a sentence may use several paths */
    unsigned next;
};

static inline void scratch_open(struct scratch *scratch) {
    *scratch = (struct scratch){0};
    (void)strcpy(scratch->folder, "/tmp/stoa-test-XXXXXX");
    if (!mkdtemp(scratch->folder)) {
        perror(scratch->folder);
        exit(99);
    }
}

/* Path of a name in the folder; good until eight more were asked for. */
static inline const char *scratch_path(struct scratch *scratch, const char *name) {
    char *path = scratch->path[scratch->next++ % 8];
    size_t used = strlen(scratch->folder);
    memcpy(path, scratch->folder, used);
    (void)snprintf(path + used, sizeof scratch->path[0] - used, "/%s", name);
    return path;
}

static inline const char *scratch_write(struct scratch *scratch, const char *name, const void *data,
                                        size_t bytes) {
    const char *path = scratch_path(scratch, name);
    FILE *file = fopen(path, "wb");
    if (!file || (bytes && fwrite(data, 1, bytes, file) != bytes) || fclose(file) != 0) {
        perror(path);
        exit(99);
    }
    return path;
}

/* Number of entries in the folder. */
static inline size_t scratch_count(const struct scratch *scratch) {
    size_t count = 0;
    DIR *folder = opendir(scratch->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (folder) {
        (void)closedir(folder);
    }
    return count;
}

/* Remove the folder and the files and empty folders in it. */
static inline void scratch_close(struct scratch *scratch) {
    DIR *folder = opendir(scratch->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            const char *path = scratch_path(scratch, entry->d_name);
            if (unlink(path) != 0) {
                (void)rmdir(path);
            }
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
    (void)rmdir(scratch->folder);
}

#endif

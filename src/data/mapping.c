/* Mapped files. The kernel's page cache is the buffer; what counts as the process's own memory is bounded by giving
 * pages back. They come again, from the cache or the disk, when another thread still needs them. Floor 6. */
#include "data/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"

struct stoa_mapping {
    uint8_t *data;
    size_t bytes, most;
    pthread_mutex_t lock;
    size_t low, high; /* the part that was touched since pages were given back */
};

size_t stoa_file_size(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0 ? (size_t)about.st_size : 0;
}

static stoa_status map_file(stoa_context *context, const char *path, struct stoa_mapping *made) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int number = errno;
    if (file < 0) {
        return stoa_fail(context, number == ENOENT || number == ENOTDIR ? STOA_ERR_NOT_FOUND : STOA_ERR_IO,
                         "%s: cannot be opened", path);
    }
    struct stat about;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size <= 0) {
        (void)close(file);
        return stoa_fail(context, STOA_ERR_IO, "%s: is empty or no regular file, which cannot be mapped",
                         path);
    }
    made->bytes = (size_t)about.st_size;
    void *data = mmap(NULL, made->bytes, PROT_READ, MAP_PRIVATE, file, 0);
    (void)close(file);
    if (data == MAP_FAILED) {
        return stoa_fail(context, STOA_ERR_IO, "%s: %zu bytes cannot be mapped", path, made->bytes);
    }
    made->data = data;
    return STOA_OK;
}

stoa_status stoa_mapping_open(stoa_context *context, const char *path, size_t most,
                              struct stoa_mapping **mapping) {
    struct stoa_mapping *made = calloc(1, sizeof *made);
    if (!made) {
        return stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory to map it", path);
    }
    stoa_status status = map_file(context, path, made);
    if (status == STOA_OK && pthread_mutex_init(&made->lock, NULL) != 0) {
        (void)munmap(made->data, made->bytes);
        status = stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory to map it", path);
    }
    if (status != STOA_OK) {
        free(made);
        return status;
    }
    made->most = most;
    *mapping = made;
    return STOA_OK;
}

void stoa_mapping_close(struct stoa_mapping *mapping) {
    if (mapping) {
        (void)munmap(mapping->data, mapping->bytes);
        (void)pthread_mutex_destroy(&mapping->lock);
        free(mapping);
    }
}

const uint8_t *stoa_mapping_data(const struct stoa_mapping *mapping) {
    return mapping->data;
}

size_t stoa_mapping_bytes(const struct stoa_mapping *mapping) {
    return mapping->bytes;
}

size_t stoa_mapping_most(const struct stoa_mapping *mapping) {
    return mapping->most;
}

void stoa_mapping_touch(struct stoa_mapping *mapping, const void *at, size_t bytes) {
    size_t low = (size_t)((const uint8_t *)at - mapping->data), high = low + bytes;
    (void)pthread_mutex_lock(&mapping->lock);
    if (mapping->high > mapping->low) {
        low = stoa_min(low, mapping->low);
        high = stoa_max(high, mapping->high);
        if (high - low > mapping->most) {
            (void)madvise(mapping->data, mapping->bytes, MADV_DONTNEED);
            low = (size_t)((const uint8_t *)at - mapping->data);
            high = low + bytes;
        }
    }
    mapping->low = low;
    mapping->high = high;
    (void)pthread_mutex_unlock(&mapping->lock);
}

/* SPDX-License-Identifier: MIT */
/* Zip archives in memory: members found by name and unpacked. What .npz files need and no more. */
#ifndef STOA_DATA_ZIP_H
#define STOA_DATA_ZIP_H

#include "core/context.h"
#include "data/folder.h"

struct stoa_zip {
    stoa_context *context;
    const char *name; /* begins sentences */
    const uint8_t *data;
    size_t bytes;
    size_t directory; /* offset of the central directory */
    size_t members;
};

struct stoa_zip_member {
    size_t header;        /* offset of its local header */
    size_t packed, bytes; /* in the archive, and unpacked */
    unsigned method, flags;
    uint32_t checksum;
};

/* Find the central directory. Errors: STOA_ERR_FORMAT. */
stoa_status stoa_zip_open(stoa_context *context, const char *name, const void *data, size_t bytes,
                          struct stoa_zip *zip);

/* Look for a member. Errors: STOA_ERR_FORMAT (a damaged directory), STOA_ERR_NOT_FOUND, which sets no
 * sentence. */
stoa_status stoa_zip_find(const struct stoa_zip *zip, const char *name, struct stoa_zip_member *member);

/* Add the names of all members to a list, in the order of the directory. Errors: STOA_ERR_FORMAT,
 * STOA_ERR_MEMORY. */
stoa_status stoa_zip_list(const struct stoa_zip *zip, struct stoa_names *names);

/* Whether a member can be unpacked, as far as its headers tell; before memory is asked for. Errors:
 * STOA_ERR_FORMAT. */
stoa_status stoa_zip_check(const struct stoa_zip *zip, const struct stoa_zip_member *member,
                           const char *shown);

/* Unpack a member into member->bytes bytes at `out`; `shown` names it in sentences. Errors: STOA_ERR_FORMAT
 * (damaged, truncated, its checksum does not hold, packed in another way than deflate), STOA_ERR_MEMORY. */
stoa_status stoa_zip_unpack(const struct stoa_zip *zip, const struct stoa_zip_member *member,
                            const char *shown, void *out);

#endif

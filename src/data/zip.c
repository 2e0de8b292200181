/* SPDX-License-Identifier: MIT */
/* Zip archives after PKWARE's APPNOTE: the end record, the central directory, members stored or deflated. The
 * directory's sizes count; the local headers, which writers of streams leave empty, only tell where data
 * begin. Every offset is held against the archive. Knows zlib. */
#include "data/zip.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

/* zlib then takes its input as const. */
#define ZLIB_CONST
#include <zlib.h>

#include "base/size.h"

enum {
    END_BYTES = 22,
    ENTRY_BYTES = 46,
    LOCAL_BYTES = 30,
    MAX_COMMENT = 65535,
    STORED = 0,
    DEFLATED = 8,
    ENCRYPTED = 1,
};

/* Deflate makes at most 1032 bytes out of one. */
#define DEFLATE_MAX_RATIO ((size_t)1032)

static uint32_t little(const uint8_t *at, int bytes) {
    uint32_t value = 0;
    for (int i = bytes; i-- > 0;) {
        value = value << 8 | at[i];
    }
    return value;
}

static bool has_magic(const uint8_t *at, const char *magic) {
    return memcmp(at, magic, 4) == 0;
}

static stoa_status fail_damaged(const struct stoa_zip *zip, const char *what, size_t offset) {
    return stoa_fail(zip->context, STOA_ERR_FORMAT, "%s: damaged archive: %s at offset %zu", zip->name, what,
                     offset);
}

/* The end record is the last thing in an archive but for a comment. */
static bool find_end(const struct stoa_zip *zip, size_t *end) {
    size_t least = zip->bytes > END_BYTES + MAX_COMMENT ? zip->bytes - END_BYTES - MAX_COMMENT : 0;
    for (size_t at = zip->bytes < END_BYTES ? 0 : zip->bytes - END_BYTES + 1; at-- > least;) {
        if (has_magic(zip->data + at, "PK\5\6") &&
            at + END_BYTES + little(zip->data + at + 20, 2) == zip->bytes) {
            *end = at;
            return true;
        }
    }
    return false;
}

stoa_status stoa_zip_open(stoa_context *context, const char *name, const void *data, size_t bytes,
                          struct stoa_zip *zip) {
    *zip = (struct stoa_zip){.context = context, .name = name, .data = data, .bytes = bytes};
    size_t end;
    if (bytes < 4 || memcmp(data, "PK", 2) != 0) {
        return stoa_fail(context, STOA_ERR_FORMAT, "%s: not a zip archive: no PK at its beginning", name);
    }
    if (!find_end(zip, &end)) {
        return stoa_fail(context, STOA_ERR_FORMAT, "%s: truncated: the end of the archive is missing", name);
    }
    zip->members = little(zip->data + end + 10, 2);
    zip->directory = little(zip->data + end + 16, 4);
    if (zip->members == 0xFFFF || zip->directory == 0xFFFFFFFFU) {
        return stoa_fail(context, STOA_ERR_FORMAT,
                         "%s: an archive in ZIP64 form, expected less than 4 GiB; NPY files may be larger",
                         name);
    }
    if (zip->directory > end) {
        return fail_damaged(zip, "the directory begins behind its end", zip->directory);
    }
    return STOA_OK;
}

/* The entry of the directory at *at, which moves behind it. */
static stoa_status next_entry(const struct stoa_zip *zip, size_t *at, const uint8_t **entry,
                              size_t *name_bytes) {
    *entry = zip->data + *at;
    if (zip->bytes - *at < ENTRY_BYTES || !has_magic(*entry, "PK\1\2")) {
        return fail_damaged(zip, "no entry of the directory", *at);
    }
    *name_bytes = little(*entry + 28, 2);
    size_t size = ENTRY_BYTES + *name_bytes + little(*entry + 30, 2) + little(*entry + 32, 2);
    if (zip->bytes - *at < size) {
        return fail_damaged(zip, "an entry of the directory that ends behind the archive", *at);
    }
    *at += size;
    return STOA_OK;
}

stoa_status stoa_zip_find(const struct stoa_zip *zip, const char *name, struct stoa_zip_member *member) {
    size_t at = zip->directory, length = strlen(name), name_bytes = 0;
    const uint8_t *entry = NULL;
    for (size_t i = 0; i < zip->members; i++) {
        stoa_status status = next_entry(zip, &at, &entry, &name_bytes);
        if (status != STOA_OK) {
            return status;
        }
        if (name_bytes == length && memcmp(entry + ENTRY_BYTES, name, length) == 0) {
            *member = (struct stoa_zip_member){.header = little(entry + 42, 4),
                                               .packed = little(entry + 20, 4),
                                               .bytes = little(entry + 24, 4),
                                               .method = little(entry + 10, 2),
                                               .flags = little(entry + 8, 2),
                                               .checksum = little(entry + 16, 4)};
            return STOA_OK;
        }
    }
    return STOA_ERR_NOT_FOUND;
}

stoa_status stoa_zip_list(const struct stoa_zip *zip, struct stoa_names *names) {
    size_t at = zip->directory, name_bytes = 0;
    const uint8_t *entry = NULL;
    for (size_t i = 0; i < zip->members; i++) {
        stoa_status status = next_entry(zip, &at, &entry, &name_bytes);
        if (status != STOA_OK) {
            return status;
        }
        if (!stoa_names_add(names, strndup((const char *)entry + ENTRY_BYTES, name_bytes))) {
            return stoa_fail(zip->context, STOA_ERR_MEMORY, "%s: no memory for the names in it", zip->name);
        }
    }
    return STOA_OK;
}

/* The member's packed bytes, which lie within the archive; a size that they cannot make is refused before
 * memory is asked for. */
static stoa_status locate(const struct stoa_zip *zip, const struct stoa_zip_member *member, const char *shown,
                          const uint8_t **packed) {
    size_t most = 0;
    if (member->header > zip->bytes || zip->bytes - member->header < LOCAL_BYTES ||
        !has_magic(zip->data + member->header, "PK\3\4")) {
        return fail_damaged(zip, "no member", member->header);
    }
    const uint8_t *local = zip->data + member->header;
    size_t skip = LOCAL_BYTES + (size_t)little(local + 26, 2) + little(local + 28, 2);
    size_t left = zip->bytes - member->header;
    if (left < skip || left - skip < member->packed) {
        return fail_damaged(zip, "a member that ends behind the archive", member->header);
    }
    if ((member->flags & ENCRYPTED) || (member->method != STORED && member->method != DEFLATED)) {
        return stoa_fail(zip->context, STOA_ERR_FORMAT,
                         "%s: packed with method %u%s, expected 0 (stored) or 8 (deflated)", shown,
                         member->method, member->flags & ENCRYPTED ? " and encrypted" : "");
    }
    bool possible = member->method == STORED ? member->bytes == member->packed
                                             : !stoa_size_mul(member->packed + 1, DEFLATE_MAX_RATIO, &most) ||
                                                   member->bytes <= most;
    if (!possible) {
        return stoa_fail(zip->context, STOA_ERR_FORMAT, "%s: damaged: %zu bytes cannot come out of %zu",
                         shown, member->bytes, member->packed);
    }
    *packed = local + skip;
    return STOA_OK;
}

stoa_status stoa_zip_check(const struct stoa_zip *zip, const struct stoa_zip_member *member,
                           const char *shown) {
    const uint8_t *packed;
    return locate(zip, member, shown, &packed);
}

static stoa_status inflate_member(const struct stoa_zip *zip, const struct stoa_zip_member *member,
                                  const char *shown, const uint8_t *packed, uint8_t *out) {
    z_stream stream = {.next_in = packed, .avail_in = (uInt)member->packed};
    /* -15: neither zlib's header nor gzip's. */
    if (inflateInit2(&stream, -15) != Z_OK) {
        return stoa_fail(zip->context, STOA_ERR_MEMORY, "%s: no memory to unpack it", shown);
    }
    stream.next_out = out;
    stream.avail_out = (uInt)member->bytes;
    int result = inflate(&stream, Z_FINISH);
    size_t left = stream.avail_out;
    const char *message = stream.msg;
    (void)inflateEnd(&stream);
    if (result == Z_MEM_ERROR) {
        return stoa_fail(zip->context, STOA_ERR_MEMORY, "%s: no memory to unpack it", shown);
    }
    if (result != Z_STREAM_END || left > 0) {
        return stoa_fail(zip->context, STOA_ERR_FORMAT, "%s: damaged: %s after %zu of %zu bytes", shown,
                         message ? message : "its packed data do not end where they should",
                         member->bytes - left, member->bytes);
    }
    return STOA_OK;
}

stoa_status stoa_zip_unpack(const struct stoa_zip *zip, const struct stoa_zip_member *member,
                            const char *shown, void *out) {
    const uint8_t *packed = NULL;
    stoa_status status = locate(zip, member, shown, &packed);
    if (status != STOA_OK || !packed) {
        return status;
    }
    if (member->method == STORED) {
        memcpy(out, packed, member->bytes);
    } else {
        status = inflate_member(zip, member, shown, packed, out);
    }
    if (status == STOA_OK && crc32(crc32(0, NULL, 0), out, (uInt)member->bytes) != member->checksum) {
        status = stoa_fail(zip->context, STOA_ERR_FORMAT, "%s: damaged: its checksum does not hold", shown);
    }
    return status;
}

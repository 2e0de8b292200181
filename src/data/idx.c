/* SPDX-License-Identifier: MIT */
/* The IDX reader. A header that lies must cost nothing: what it announces is held against what the input can
 * hold before memory is taken, and of gzip data exactly that many bytes are inflated. Knows zlib. */
#include "data/idx.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* zlib then takes its input as const. */
#define ZLIB_CONST
#include <zlib.h>

#include "base/endian.h"
#include "base/file.h"
#include "base/size.h"

/* Largest file, and largest array in one: zlib counts with unsigned int. */
#define IDX_MAX_BYTES ((size_t)UINT_MAX)

/* Deflate makes at most 1032 bytes out of one (a match of 258 bytes takes two bits). */
#define DEFLATE_MAX_RATIO ((size_t)1032)

/* Bytes to come, plain or through inflate. */
struct source {
    stoa_context *context;
    const char *name;
    const uint8_t *next;
    size_t left; /* input bytes not yet read; when gzip, see stream.avail_in */
    bool gzip;
    bool ended;  /* the gzip data have come to their end and their checksums hold */
    size_t most; /* bytes that the whole array may have */
    const struct stoa_idx_labels *labels;
    z_stream stream;
};

static stoa_status source_open(struct source *source, stoa_context *context, const char *name,
                               const void *data, size_t bytes) {
    memset(source, 0, sizeof *source);
    source->context = context;
    source->name = name;
    source->next = data;
    source->left = bytes;
    source->most = IDX_MAX_BYTES;
    source->gzip = bytes >= 2 && source->next[0] == 0x1F && source->next[1] == 0x8B;
    if (bytes > IDX_MAX_BYTES) {
        return stoa_fail(context, STOA_ERR_FORMAT, "%s: holds %zu bytes, at most %zu are read", name, bytes,
                         IDX_MAX_BYTES);
    }
    if (!source->gzip) {
        return STOA_OK;
    }
    source->stream.next_in = source->next;
    source->stream.avail_in = (uInt)bytes;
    /* 15 window bits, + 16: gzip and nothing else. */
    if (inflateInit2(&source->stream, 15 + 16) != Z_OK) {
        return stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory to unpack it", name);
    }
    return STOA_OK;
}

static void source_close(struct source *source) {
    if (source->gzip) {
        (void)inflateEnd(&source->stream);
    }
}

/* Behind the end of a member of gzip data: whether another follows, which is unpacked as if it were the same
 * (RFC 1952). Zeros up to the end are padding, as tapes and archives leave it. */
static bool next_member(struct source *source) {
    z_stream *stream = &source->stream;
    if (stream->avail_in >= 2 && stream->next_in[0] == 0x1F && stream->next_in[1] == 0x8B) {
        return inflateReset(stream) == Z_OK;
    }
    size_t zeros = 0;
    while (zeros < stream->avail_in && stream->next_in[zeros] == 0) {
        zeros++;
    }
    stream->avail_in -= zeros == stream->avail_in ? (uInt)zeros : 0;
    source->ended = true;
    return false;
}

/* Inflate up to `wanted` bytes; fewer only where the input ends. */
static stoa_status inflate_some(struct source *source, uint8_t *out, size_t wanted, size_t *got) {
    z_stream *stream = &source->stream;
    stream->next_out = out;
    stream->avail_out = (uInt)wanted;
    int result;
    do {
        result = source->ended ? Z_STREAM_END : inflate(stream, Z_SYNC_FLUSH);
    } while (result == Z_STREAM_END && !source->ended && next_member(source));
    *got = wanted - stream->avail_out;
    stream->next_out = NULL; /* `out` may not outlive this call */
    switch (result) {
    case Z_STREAM_END:
    case Z_OK:
    case Z_BUF_ERROR: /* no progress: the input is used up, or no room was given */
        return STOA_OK;
    case Z_MEM_ERROR:
        return stoa_fail(source->context, STOA_ERR_MEMORY, "%s: no memory to unpack it", source->name);
    default:
        return stoa_fail(source->context, STOA_ERR_FORMAT, "%s: damaged gzip data: %s", source->name,
                         stream->msg ? stream->msg : "needs a dictionary");
    }
}

/* Take up to `wanted` bytes; fewer only where the input ends. */
static stoa_status source_take(struct source *source, uint8_t *out, size_t wanted, size_t *got) {
    if (source->gzip) {
        return inflate_some(source, out, wanted, got);
    }
    *got = stoa_min(wanted, source->left);
    if (*got > 0) { /* no bytes at all may come as NULL, which neither memcpy() nor + take */
        memcpy(out, source->next, *got);
        source->next += *got;
        source->left -= *got;
    }
    return STOA_OK;
}

/* After the array nothing may follow; gzip data must be complete and end with the file. */
static stoa_status source_expect_end(struct source *source, size_t expected) {
    if (!source->gzip) {
        return source->left == 0 ? STOA_OK
                                 : stoa_fail(source->context, STOA_ERR_FORMAT,
                                             "%s: longer than its header says: %zu bytes found, %zu expected",
                                             source->name, expected + source->left, expected);
    }
    uint8_t extra;
    size_t got = 0;
    stoa_status status = inflate_some(source, &extra, 1, &got);
    if (status != STOA_OK) {
        return status;
    }
    if (got > 0) {
        return stoa_fail(source->context, STOA_ERR_FORMAT,
                         "%s: longer than its header says: more than the expected %zu bytes when unpacked",
                         source->name, expected);
    }
    if (!source->ended) {
        return stoa_fail(source->context, STOA_ERR_FORMAT,
                         "%s: truncated: the end of the gzip data is missing", source->name);
    }
    if (source->stream.avail_in > 0) {
        return stoa_fail(source->context, STOA_ERR_FORMAT,
                         "%s: %u bytes follow the end of the gzip data, none expected", source->name,
                         source->stream.avail_in);
    }
    return STOA_OK;
}

/* Most bytes that can still come: what bounds an allocation before anything is known to be there. */
static size_t source_bound(const struct source *source) {
    size_t bound;
    if (!source->gzip) {
        return source->left;
    }
    if (!stoa_size_mul((size_t)source->stream.avail_in + 1, DEFLATE_MAX_RATIO, &bound)) {
        bound = IDX_MAX_BYTES;
    }
    return stoa_min(bound, IDX_MAX_BYTES);
}

/* Before anything behind the header is read. */
static stoa_status check_count(const struct source *source, const struct stoa_idx *idx) {
    const struct stoa_idx_labels *labels = source->labels;
    return !labels || labels->count == idx->npy.size[0]
               ? STOA_OK
               : stoa_fail(source->context, STOA_ERR_FORMAT,
                           "%s: holds %zu labels, expected %zu: %s has as many images", labels->name,
                           labels->count, idx->npy.size[0], source->name);
}

/* Type and number of dimensions. */
static stoa_status read_magic(const struct source *source, const uint8_t magic[4], size_t rank,
                              struct stoa_npy *npy) {
    static const struct {
        uint8_t code;
        enum stoa_sample_type type;
    } types[] = {{0x08, STOA_SAMPLE_U8},  {0x09, STOA_SAMPLE_I8},  {0x0B, STOA_SAMPLE_I16},
                 {0x0C, STOA_SAMPLE_I32}, {0x0D, STOA_SAMPLE_F32}, {0x0E, STOA_SAMPLE_F64}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (magic[0] == 0 && magic[1] == 0 && magic[2] == types[i].code && magic[3] >= 1 &&
            magic[3] <= rank) {
            npy->type = types[i].type;
            npy->value_bytes = stoa_sample_bytes(npy->type);
            npy->swapped = npy->value_bytes > 1 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
            npy->rank = magic[3];
            return STOA_OK;
        }
    }
    return stoa_fail(
        source->context, STOA_ERR_FORMAT,
        "%s: magic number 0x%08X, expected that of IDX: 0x0000, the type (08, 09, 0B, 0C, 0D or 0E), and "
        "01 to %02zu for the dimensions",
        source->name, stoa_load_be32(magic), rank);
}

static stoa_status read_sizes(const struct source *source, const uint8_t *sizes, struct stoa_idx *idx) {
    struct stoa_npy *npy = &idx->npy;
    bool fits = true;
    idx->bytes = npy->value_bytes;
    npy->values = 1;
    for (size_t i = 0; i < npy->rank; i++) {
        npy->size[i] = stoa_load_be32(sizes + 4 * i);
        if (npy->size[i] == 0) {
            return stoa_fail(source->context, STOA_ERR_FORMAT, "%s: dimension %zu is 0, expected at least 1",
                             source->name, i + 1);
        }
        fits = fits && npy->size[i] <= STOA_MAX_DIMENSION && stoa_size_scale(&idx->bytes, npy->size[i]) &&
               stoa_size_scale(&npy->values, npy->size[i]);
    }
    if (!fits || idx->bytes > source->most - npy->offset) {
        return stoa_fail(source->context, STOA_ERR_FORMAT, "%s: its header announces more than %zu bytes",
                         source->name, source->most - npy->offset);
    }
    return check_count(source, idx);
}

static stoa_status read_header(struct source *source, size_t rank, struct stoa_idx *idx) {
    uint8_t header[STOA_IDX_HEAD] = {0};
    size_t got = 0, wanted = 4, more = 0;
    stoa_status status = source_take(source, header, wanted, &got);
    /* The magic first: on another kind of file its message says more than a length. */
    if (status == STOA_OK && got == wanted) {
        status = read_magic(source, header, rank, &idx->npy);
        wanted = 4 + 4 * idx->npy.rank;
    }
    if (status == STOA_OK && got == 4) {
        status = source_take(source, header + 4, wanted - 4, &more);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (got + more < wanted || got < 4) {
        return stoa_fail(source->context, STOA_ERR_FORMAT,
                         "%s: truncated: %zu bytes found, the header alone has %s%zu", source->name,
                         got + more, got < 4 ? "at least " : "", got < 4 ? (size_t)8 : wanted);
    }
    idx->npy.offset = wanted;
    return read_sizes(source, header + 4, idx);
}

static stoa_status truncated(const struct source *source, const char *at_most, size_t found,
                             size_t announced) {
    return stoa_fail(source->context, STOA_ERR_FORMAT,
                     "%s: truncated: %s %zu bytes found after the header, which announces %zu", source->name,
                     at_most, found, announced);
}

static stoa_status read_array(struct source *source, size_t rank, struct stoa_idx *idx) {
    stoa_status status = read_header(source, rank, idx);
    if (status != STOA_OK) {
        return status;
    }
    size_t bound = source_bound(source);
    if (idx->bytes > bound) {
        return truncated(source, source->gzip ? "at most" : "only", bound, idx->bytes);
    }
    idx->data = stoa_allocate(source->context, idx->bytes, source->name);
    if (!idx->data) {
        return STOA_ERR_MEMORY;
    }
    size_t got = 0;
    status = source_take(source, idx->data, idx->bytes, &got);
    if (status == STOA_OK && got < idx->bytes) {
        status = truncated(source, "only", got, idx->bytes);
    }
    if (status == STOA_OK) {
        status = source_expect_end(source, idx->npy.offset + idx->bytes);
    }
    if (status != STOA_OK) {
        stoa_idx_release(source->context, idx);
    }
    return status;
}

stoa_status stoa_idx_parse(stoa_context *context, const char *name, const void *data, size_t bytes,
                           size_t rank, const struct stoa_idx_labels *labels, struct stoa_idx *idx) {
    assert(rank >= 1 && rank <= STOA_IDX_MAX_RANK);
    struct source source;
    struct stoa_idx result = {.bytes = 0};
    stoa_status status = source_open(&source, context, name, data, bytes);
    if (status != STOA_OK) {
        return status;
    }
    source.labels = labels;
    status = read_array(&source, rank, &result);
    source_close(&source);
    if (status == STOA_OK) {
        *idx = result;
    }
    return status;
}

stoa_status stoa_idx_view(stoa_context *context, const char *name, const void *head, size_t bytes,
                          size_t rank, const struct stoa_idx_labels *labels, struct stoa_idx *idx) {
    struct source source = {.context = context,
                            .name = name,
                            .next = head,
                            .left = stoa_min(bytes, STOA_IDX_HEAD),
                            .most = SIZE_MAX / 2,
                            .labels = labels};
    struct stoa_idx result = {.bytes = 0};
    stoa_status status = read_header(&source, rank, &result);
    if (status != STOA_OK) {
        return status;
    }
    const size_t header = result.npy.offset;
    source.left = bytes - header;
    if (result.bytes > source.left) {
        return truncated(&source, "only", source.left, result.bytes);
    }
    source.left -= result.bytes;
    status = source_expect_end(&source, header + result.bytes);
    if (status == STOA_OK) {
        *idx = result;
    }
    return status;
}

stoa_status stoa_idx_read(stoa_context *context, const char *path, size_t rank,
                          const struct stoa_idx_labels *labels, struct stoa_idx *idx) {
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, IDX_MAX_BYTES, &data, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    status = stoa_idx_parse(context, path, data, bytes, rank, labels, idx);
    free(data);
    return status;
}

void stoa_idx_release(stoa_context *context, struct stoa_idx *idx) {
    if (idx->data) {
        stoa_release(context, idx->data, idx->bytes);
    }
    *idx = (struct stoa_idx){.bytes = 0};
}

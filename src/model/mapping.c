/* SPDX-License-Identifier: MIT */
/* Mappings read and suggested: see mapping.h. */
#include "model/mapping.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "core/context.h"
#include "core/names.h"

static const char blanks[] = " \t\r";

/* ---- reading ---- */

/* One line, in pieces of the text. */
struct line {
    const char *theirs, *ours;
    size_t theirs_bytes, ours_bytes;
};

/* A line taken apart; false where it is none. One without a pair has no `theirs_bytes`. */
static bool read_line(const char *at, const char *end, struct line *line) {
    *line = (struct line){.theirs = at + strspn(at, blanks)};
    at = line->theirs;
    if (at >= end || *at == '#') {
        return true;
    }
    line->theirs_bytes = stoa_name_length(at, " \t\r\n=");
    if (line->theirs_bytes == 0) {
        return false;
    }
    at += line->theirs_bytes;
    at += strspn(at, blanks);
    if (*at != '=') {
        return false;
    }
    at += 1 + strspn(at + 1, blanks);
    line->ours = at;
    line->ours_bytes = *at == '#' ? 0 : stoa_name_length(at, " \t\r\n");
    at += line->ours_bytes;
    at += strspn(at, blanks);
    return at >= end || *at == '#';
}

/* A name of a line without its quotes, to `*names`; its place there. */
static const char *take_name(const char *word, size_t bytes, char **names) {
    const char *name = *names;
    bool quoted = bytes >= 2 && word[0] == '"' && word[bytes - 1] == '"';
    for (size_t i = quoted; i < bytes - quoted; i++) {
        i += quoted && word[i] == '\\' && i + 1 < bytes - quoted;
        *(*names)++ = word[i];
    }
    *(*names)++ = '\0';
    return name;
}

stoa_status stoa_mapping_apply(struct stoa_error *error, const char *text, struct stoa_safetensors *file,
                               char **names) {
    stoa_status status = STOA_OK;
    char *room = *names = malloc(2 * strlen(text) + 2);
    if (!room) {
        return stoa_error_set(error, STOA_ERR_MEMORY, "no memory for a mapping of names");
    }
    size_t number = 1;
    for (const char *at = text; status == STOA_OK && *at; number++) {
        const char *end = at + strcspn(at, "\n");
        struct line line;
        if (!read_line(at, end, &line)) {
            status = stoa_error_set(error, STOA_ERR_ARGUMENT,
                                    "line %zu of the mapping: found '%.*s', expected THEIRS = OURS", number,
                                    (int)stoa_min((size_t)(end - at), 80), at);
        } else if (line.theirs_bytes > 0) {
            const char *theirs = take_name(line.theirs, line.theirs_bytes, &room);
            const char *ours = line.ours_bytes ? take_name(line.ours, line.ours_bytes, &room) : NULL;
            if (!stoa_safetensors_rename(file, theirs, ours)) {
                status =
                    stoa_error_set(error, STOA_ERR_ARGUMENT,
                                   "line %zu of the mapping: the file has no tensor '%.80s'", number, theirs);
            }
        }
        at = *end ? end + 1 : end;
    }
    return status == STOA_OK ? stoa_safetensors_renamed(error, file) : status;
}

/* ---- suggesting ---- */

struct pairing {
    const stoa_model *model;
    const struct stoa_safetensors_tensor **theirs; /* in their natural order; NULL: taken */
    size_t count;
    const struct stoa_safetensors_tensor **found; /* of each tensor of the model, or NULL */
    bool *exact;
};

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/* By names, in which numbers count as such: "features.2" stands before "features.10". */
static int compare_natural(const void *left, const void *right) {
    const char *a = (*(const struct stoa_safetensors_tensor *const *)left)->name;
    const char *b = (*(const struct stoa_safetensors_tensor *const *)right)->name;
    while (*a && *b) {
        if (is_digit(*a) && is_digit(*b)) {
            size_t m = strspn(a, "0123456789"), n = strspn(b, "0123456789");
            int order = m != n ? (m < n ? -1 : 1) : strncmp(a, b, m);
            if (order != 0) {
                return order;
            }
            a += m;
            b += n;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return *a ? 1 : *b ? -1 : 0;
}

/* What a tensor is to its layer: the last part of its name, in PyTorch's words. */
static const char *kind_of(const char *name) {
    static const char *const others[][2] = {{"gamma", "weight"},
                                            {"beta", "bias"},
                                            {"moving_mean", "running_mean"},
                                            {"moving_variance", "running_var"}};
    const char *last = name;
    for (const char *at = name; *at; at++) {
        last = *at == '.' || *at == '/' ? at + 1 : last;
    }
    size_t length = strcspn(last, ":"); /* "gamma:0" */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strlen(others[i][0]) == length && strncmp(last, others[i][0], length) == 0) {
            return others[i][1];
        }
    }
    return last;
}

static bool is_alike(const struct stoa_safetensors_tensor *theirs, const stoa_tensor_info *ours) {
    return theirs && theirs->rank == ours->rank &&
           memcmp(theirs->shape, ours->shape, ours->rank * sizeof *ours->shape) == 0 &&
           strcmp(kind_of(theirs->name), kind_of(ours->name)) == 0;
}

/* Pairs of one name first; then each of the model's takes the first that is like it and free. */
static void pair_all(struct pairing *p) {
    stoa_tensor_info ours;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; stoa_model_tensor_count(p->model) > i; i++) {
            bool known = stoa_model_tensor(p->model, i, &ours) == STOA_OK && !p->found[i];
            for (size_t k = 0; known && k < p->count && !p->found[i]; k++) {
                bool same =
                    is_alike(p->theirs[k], &ours) && (pass > 0 || strcmp(p->theirs[k]->name, ours.name) == 0);
                if (same) {
                    p->found[i] = p->theirs[k];
                    p->exact[i] = pass == 0;
                    p->theirs[k] = NULL;
                }
            }
        }
    }
}

/* Text of any length; without memory it is lost, and `lost` says so. */
struct text {
    char *at;
    size_t bytes, room;
    bool lost;
};

static void add(struct text *text, const char *what) {
    size_t length = strlen(what);
    if (text->bytes + length + 1 > text->room) {
        size_t room = 2 * (text->bytes + length) + 256;
        char *at = realloc(text->at, room);
        if (!at) {
            text->lost = true;
            return;
        }
        text->at = at;
        text->room = room;
    }
    if (!text->lost) {
        memcpy(text->at + text->bytes, what, length + 1);
        text->bytes += length;
    }
}

static void add_name(struct text *text, const char *name) {
    char *written = malloc(stoa_name_write(name, NULL) + 1);
    text->lost = text->lost || !written;
    if (written) {
        (void)stoa_name_write(name, written);
        add(text, written);
    }
    free(written);
}

static void add_pair(struct text *text, const char *theirs, const char *ours, size_t rank,
                     const size_t *shape, const char *remark) {
    char words[STOA_SAFETENSORS_SHAPE];
    add(text, theirs && ours ? "" : "# ");
    if (theirs) {
        add_name(text, theirs);
    } else {
        add(text, "?");
    }
    add(text, " = ");
    if (ours) {
        add_name(text, ours);
    } else {
        add(text, "?");
    }
    add(text, "  # ");
    add(text, stoa_safetensors_shape(rank, shape, words));
    add(text, remark);
    add(text, "\n");
}

static void write_pairs(const struct pairing *p, struct text *text) {
    stoa_tensor_info ours;
    add(text, "# THEIRS = OURS: a tensor of the file, and the one of the network that takes its values.\n"
              "# A line without a name behind the '=' leaves a tensor of the file out.\n");
    for (size_t i = 0; i < stoa_model_tensor_count(p->model); i++) {
        if (stoa_model_tensor(p->model, i, &ours) == STOA_OK) {
            add_pair(text, p->found[i] ? p->found[i]->name : NULL, ours.name, ours.rank, ours.shape,
                     !p->found[i]  ? ", not found"
                     : p->exact[i] ? ""
                                   : ", by shape and order");
        }
    }
    for (size_t k = 0; k < p->count; k++) {
        if (p->theirs[k]) {
            add_pair(text, p->theirs[k]->name, NULL, p->theirs[k]->rank, p->theirs[k]->shape, ", not used");
        }
    }
}

stoa_status stoa_mapping_suggest(const stoa_model *model, const struct stoa_safetensors *file, char **text) {
    size_t count = stoa_safetensors_count(file), tensors = stoa_model_tensor_count(model);
    struct pairing p = {.model = model, .count = count};
    struct text out = {.bytes = 0};
    p.theirs = calloc(count + 1, sizeof(const struct stoa_safetensors_tensor *));
    p.found = calloc(tensors + 1, sizeof(const struct stoa_safetensors_tensor *));
    p.exact = calloc(tensors + 1, sizeof *p.exact);
    if (p.theirs && p.found && p.exact) {
        for (size_t i = 0; i < count; i++) {
            p.theirs[i] = stoa_safetensors_at(file, i);
        }
        qsort(p.theirs, count, sizeof(const struct stoa_safetensors_tensor *), compare_natural);
        pair_all(&p);
        write_pairs(&p, &out);
    }
    free(p.theirs);
    free(p.found);
    free(p.exact);
    if (!out.at || out.lost) {
        free(out.at);
        return stoa_fail(stoa_model_context(model), STOA_ERR_MEMORY, "no memory for a mapping of names");
    }
    *text = out.at;
    return STOA_OK;
}

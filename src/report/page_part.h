/* SPDX-License-Identifier: MIT */
/* The inside of a part of a page: numbers for its head and for comparison, and its sections, written when the
 * model is at hand. */
#ifndef STOA_REPORT_PAGE_PART_H
#define STOA_REPORT_PAGE_PART_H

#include "report/chart.h"
#include "report/page.h"

enum report_section {
    REPORT_MISTAKES,
    REPORT_INSIDE,
    REPORT_NETWORK,
    REPORT_MEMORY,
    REPORT_RECIPE,
    REPORT_ORIGIN,
    REPORT_SECTIONS
};

struct report_part {
    size_t number;
    const char *name, *path;
    const struct report_run *run; /* NULL: none */
    bool has_model;
    size_t parameters, layers;
    double flops;            /* of one sample forwards */
    size_t samples, correct; /* as tested here; 0 samples: not tested */
    size_t all_samples;      /* that the data have */
    size_t batch;            /* of the training, as far as it is known */
    char *loss, *optimizer;  /* NULL: not known */
    char *title;             /* the recipe's; NULL: not known */
    char *settings;          /* the whole recipe as text; NULL: not known */
    char *no_curves;         /* why there are none; NULL: there are */
    char *no_test;           /* why the data could not be tested with; NULL: they were, or there are none */
    struct report_out section[REPORT_SECTIONS];
    bool failed; /* memory was short */
};

/* An id of its own for a figure of a part: "r1-matrix". */
struct report_id {
    char text[32];
};
const char *report_id_of(struct report_id *id, const struct report_part *part, const char *what);

/* A copy of a text, or NULL of NULL; a lack of memory is noted in the part. */
char *report_copy(struct report_part *part, const char *text);

/* The sections, each into its own place. */
void report_write_mistakes(struct report_part *part, const struct report_subject *subject);
void report_write_inside(struct report_part *part, const struct report_subject *subject);
void report_write_network(struct report_part *part, const struct report_subject *subject);
void report_write_memory(struct report_part *part, const struct report_subject *subject);
void report_write_origin(struct report_part *part, const struct report_subject *subject);

/* Curves of all parts together, the runs compared, and the epochs of one. */
void report_write_curves(struct report_out *out, const struct report_part *const *parts, size_t count);
void report_write_comparison(struct report_out *out, const struct report_part *const *parts, size_t count);

/* A sentence in the place of something that cannot be shown. */
void report_write_missing(struct report_out *out, const char *reason);
/* The same after a call of the library that failed, in its words; for want of memory the part fails. */
void report_write_failure(struct report_part *part, enum report_section section, const stoa_context *context,
                          stoa_status status);

/* ---- pictures of a model's samples (page_picture.c) ---- */

/* How the values of a model's samples become pixels: mean and deviation undone, its training data's range
 * stretched to 0 to 255. */
struct report_pixels {
    size_t height, width, channels;
    size_t shown;            /* channels of a picture: 1, or 3 */
    bool is_picture;         /* rows of values are none */
    float *mean, *deviation; /* a number for each channel */
    float low, high;         /* low == high: each sample's own range */
};
bool report_pixels_open(const stoa_model *model, struct report_pixels *pixels);
void report_pixels_close(struct report_pixels *pixels);
/* The value that the data had. */
float report_pixels_value(const struct report_pixels *pixels, const float *sample, size_t at);
/* height x width x shown bytes. */
void report_pixels_of(const struct report_pixels *pixels, const float *sample, unsigned char *out);

/* Values as grey, from least to most. With `around_zero` zero is the middle grey. */
void report_grey(const float *values, size_t count, size_t stride, bool around_zero, unsigned char *out);

#endif

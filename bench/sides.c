/* SPDX-License-Identifier: MIT */
/* Results of layers, brought together by layer and pass. */
#include "bench/sides.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Engines take the colours that are left. */
static const size_t naive_styles[BENCH_PLOT_NAIVES] = {7, 5, BENCH_STYLE_NAIVE};
static const size_t other_styles[] = {3, 6, 8};

static size_t pass_of(const struct bench_plot_row *row) {
    size_t pass = 0;
    while (pass < BENCH_PASSES && strcmp(row->series, bench_pass_names[pass]) != 0) {
        pass++;
    }
    return row->metric == BENCH_PLOT_FLOPS ? pass : BENCH_PASSES;
}

static bool has_layers(const struct bench_plot_file *file) {
    for (size_t i = 0; i < file->rows; i++) {
        if (pass_of(&file->row[i]) < BENCH_PASSES) {
            return true;
        }
    }
    return false;
}

static bool has_naive(const struct bench_plot_file *files, size_t count, size_t naive) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < files[i].rows; j++) {
            if (files[i].row[j].naive[naive] > 0 && pass_of(&files[i].row[j]) < BENCH_PASSES) {
                return true;
            }
        }
    }
    return false;
}

static const char *context_text(const struct bench_plot_file *file, const char *key) {
    const char *text = json_string_value(json_object_get(json_object_get(file->json, "context"), key));
    return text ? text : "";
}

static bool is_policy(const struct bench_plot_file *file, const char *policy) {
    return strcmp(context_text(file, "policy"), policy) == 0;
}

static size_t next_style(size_t *others) {
    return other_styles[(*others)++ % (sizeof other_styles / sizeof *other_styles)];
}

static bool is_named(const struct bench_sides *sides, const char *name) {
    for (size_t i = 0; i < sides->sides; i++) {
        if (strcmp(sides->side[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_side(struct bench_sides *sides, struct bench_side side, char *name) {
    side.name = name;
    sides->side[sides->sides++] = side;
}

/* The engine beside another one is measured again there: one bar is enough for it. Another run of its own is
 * another side, told apart by its file. */
static void add_own_side(struct bench_sides *sides, const struct bench_plot_file *file, size_t *others) {
    const char *blas = context_text(file, "blas_name"), *conv = context_text(file, "conv");
    bool plain = is_policy(file, "blas"), exact = is_policy(file, "exact");
    char *name = plain ? cli_text("im2col + %s", *blas ? blas : "BLAS")
                       : cli_text("Stoa%s%s%s", exact ? ", exact" : "", *conv ? ", " : "", conv);
    size_t style = plain ? BENCH_STYLE_BLAS : BENCH_STYLE_OURS;
    if (is_named(sides, name)) {
        char *other = file->peer_rows > 0 ? NULL : cli_text("%s, %s", name, file->stem);
        free(name);
        name = other;
        style = name ? next_style(others) : 0;
    }
    if (name) {
        sides->ours = sides->sides;
        add_side(sides, (struct bench_side){.file = file, .style = style}, name);
    }
}

/* Those that are im2col and the BLAS, or the others. */
static void add_peer_sides(struct bench_sides *sides, const struct bench_plot_file *file, bool of_blas,
                           size_t *others) {
    for (size_t i = 0; i < file->peer_rows; i++) {
        bool known = pass_of(&file->peer_row[i]) == BENCH_PASSES ||
                     bench_plot_is_blas((&file->peer_row[i])->peer) != of_blas;
        for (size_t j = 0; j < i; j++) {
            known = known || strcmp(file->peer_row[j].peer, file->peer_row[i].peer) == 0;
        }
        if (!known) {
            const char *peer = file->peer_row[i].peer;
            size_t style = of_blas ? BENCH_STYLE_BLAS : next_style(others);
            add_side(sides, (struct bench_side){.file = file, .style = style, .peer = peer},
                     cli_text("%s", peer));
        }
    }
}

static void find_sides(const struct bench_plot_file *files, size_t count, struct bench_sides *sides) {
    size_t most = BENCH_PLOT_NAIVES, others = 0;
    for (size_t i = 0; i < count; i++) {
        most += 1 + files[i].peer_rows;
    }
    sides->side = cli_allocate(most, sizeof *sides->side);
    for (size_t i = 0; i < BENCH_PLOT_NAIVES; i++) {
        if (has_naive(files, count, i)) {
            add_side(sides, (struct bench_side){.naive = i, .style = naive_styles[i]},
                     cli_text("%s", bench_plot_naives[i]));
        }
    }
    /* The BLAS stands between naive loops and the engine. */
    for (size_t i = 0; i < count; i++) {
        add_peer_sides(sides, &files[i], true, &others);
    }
    for (int plain = 1; plain >= 0; plain--) {
        for (size_t i = 0; i < count; i++) {
            if (has_layers(&files[i]) && is_policy(&files[i], "blas") == plain) {
                add_own_side(sides, &files[i], &others);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        add_peer_sides(sides, &files[i], false, &others);
    }
}

static const struct bench_plot_row *find_row(const struct bench_plot_row *rows, size_t count,
                                             const char *peer, const struct bench_plot_row *like) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, like->name) == 0 && (!peer || strcmp(rows[i].peer, peer) == 0)) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Ours over the side's, of the same run where that holds both: machines change from run to run. */
static double ratio_of(const struct bench_sides *sides, size_t side, const struct bench_sides_row *row,
                       const struct bench_plot_row *like) {
    const struct bench_side *one = &sides->side[side];
    const struct bench_plot_file *file = one->file ? one->file : sides->side[sides->ours].file;
    const struct bench_plot_row *own = find_row(file->row, file->rows, NULL, like);
    if (!one->file && own && own->naive[one->naive] > 0) {
        return own->naive[one->naive];
    }
    return (one->peer && own ? own->value : row->rate[sides->ours]) / row->rate[side];
}

static double rate_of(const struct bench_side *side, const struct bench_plot_file *files, size_t count,
                      const struct bench_plot_row *like) {
    if (side->file) {
        const struct bench_plot_row *row =
            side->peer ? find_row(side->file->peer_row, side->file->peer_rows, side->peer, like)
                       : find_row(side->file->row, side->file->rows, NULL, like);
        return row ? row->value : (double)NAN;
    }
    for (size_t i = 0; i < count; i++) {
        const struct bench_plot_row *row = find_row(files[i].row, files[i].rows, NULL, like);
        if (row && row->naive[side->naive] > 0) {
            return row->value / row->naive[side->naive];
        }
    }
    return (double)NAN;
}

static bool is_known(const struct bench_sides *sides, const struct bench_plot_row *row) {
    for (size_t i = 0; i < sides->rows; i++) {
        if (sides->row[i].pass == pass_of(row) && strcmp(sides->row[i].label, row->label) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_disturbed(const struct bench_plot_file *files, size_t count, const char *name) {
    bool disturbed = false;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < files[i].rows + files[i].peer_rows; j++) {
            const struct bench_plot_row *row =
                j < files[i].rows ? &files[i].row[j] : &files[i].peer_row[j - files[i].rows];
            disturbed = disturbed || (row->disturbed && strcmp(row->name, name) == 0);
        }
    }
    return disturbed;
}

void bench_sides_collect(const struct bench_plot_file *files, size_t count, struct bench_sides *sides) {
    *sides = (struct bench_sides){0};
    find_sides(files, count, sides);
    size_t most = 1;
    for (size_t i = 0; i < count; i++) {
        most += files[i].rows;
    }
    sides->row = cli_allocate(most, sizeof *sides->row);
    for (size_t i = 0; sides->sides > 1 && i < count; i++) {
        for (size_t j = 0; j < files[i].rows; j++) {
            const struct bench_plot_row *like = &files[i].row[j];
            if (pass_of(like) == BENCH_PASSES || is_known(sides, like)) {
                continue;
            }
            struct bench_sides_row *row = &sides->row[sides->rows++];
            *row = (struct bench_sides_row){.label = like->label,
                                            .pass = pass_of(like),
                                            .rate = cli_allocate(sides->sides, sizeof *row->rate),
                                            .ratio = cli_allocate(sides->sides, sizeof *row->ratio),
                                            .disturbed = is_disturbed(files, count, like->name)};
            for (size_t s = 0; s < sides->sides; s++) {
                row->rate[s] = rate_of(&sides->side[s], files, count, like);
            }
            for (size_t s = 0; s < sides->sides; s++) {
                row->ratio[s] = ratio_of(sides, s, row, like);
            }
        }
    }
}

void bench_sides_free(struct bench_sides *sides) {
    for (size_t i = 0; i < sides->rows; i++) {
        free(sides->row[i].rate);
        free(sides->row[i].ratio);
    }
    for (size_t i = 0; i < sides->sides; i++) {
        free(sides->side[i].name);
    }
    free(sides->row);
    free(sides->side);
    *sides = (struct bench_sides){0};
}

size_t bench_sides_mean(const struct bench_sides *sides, size_t side, size_t pass, double *rate,
                        double *ratio) {
    double rates = 0, ratios = 0;
    size_t rows = 0;
    for (size_t i = 0; i < sides->rows; i++) {
        const struct bench_sides_row *row = &sides->row[i];
        bool whole = !row->disturbed && (pass == BENCH_PASSES || row->pass == pass);
        for (size_t s = 0; s < sides->sides; s++) {
            whole = whole && row->rate[s] > 0;
        }
        if (whole) {
            rates += log(row->rate[side]);
            ratios += log(row->ratio[side]);
            rows++;
        }
    }
    *rate = rows > 0 ? exp(rates / (double)rows) : (double)NAN;
    *ratio = rows > 0 ? exp(ratios / (double)rows) : (double)NAN;
    return rows;
}

/* SPDX-License-Identifier: MIT */
/* Layers from text: "conv2d n32 c64 h56 w56 k64 r3 s1 p1", alone or behind "name: " in a file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/size.h"
#include "bench/layer.h"

const char *const bench_pass_names[BENCH_PASSES] = {"forward", "backward data", "backward weights"};

enum { MOST_WORDS = 16, LARGEST = 1 << 20 };

struct pair {
    size_t height, width;
    bool given;
};

/* "3" or "3x5". */
static bool read_pair(const char *text, size_t lowest, struct pair *pair) {
    size_t first = strcspn(text, "x");
    pair->given = true;
    if (!stoa_parse_size(text, first, &pair->height)) {
        return false;
    }
    pair->width = pair->height;
    if (text[first] && !stoa_parse_size(text + first + 1, strlen(text + first + 1), &pair->width)) {
        return false;
    }
    return pair->height >= lowest && pair->width >= lowest && pair->height <= LARGEST &&
           pair->width <= LARGEST;
}

/* The letters of a problem; which of them must be there. */
static const char letters[] = "nchwkrspdg";
enum { N, C, H, W, K, R, S, P, D, G, LETTERS };

static int read_words(char *text, const char *where, struct bench_layer *layer, struct pair *value) {
    char *rest = NULL;
    const char *kind = strtok_r(text, " \t", &rest);
    layer->linear = kind && strcmp(kind, "linear") == 0;
    if (!kind || (!layer->linear && strcmp(kind, "conv2d") != 0)) {
        return cli_fail(CLI_WRONG, "%s: found '%s', expected conv2d or linear", where, kind ? kind : "");
    }
    for (const char *word; (word = strtok_r(NULL, " \t", &rest)) != NULL;) {
        const char *letter = strchr(letters, word[0]);
        if (strcmp(word, "first") == 0) {
            layer->first = true;
        } else if (!letter || (layer->linear && !strchr("nck", word[0]))) {
            return cli_fail(CLI_WRONG, "%s: found '%s', expected %s", where, word,
                            layer->linear ? "n, c or k and a number"
                                          : "one of n c h w k r s p d g and a number");
        } else if (value[letter - letters].given) {
            return cli_fail(CLI_WRONG, "%s: '%c' is given twice", where, word[0]);
        } else if (!read_pair(word + 1, word[0] == 'p' ? 0 : 1, &value[letter - letters]) ||
                   (strchr(word, 'x') && !strchr("rspd", word[0]))) {
            return cli_fail(CLI_WRONG, "%s: found '%s', expected a whole number up to %d", where, word,
                            LARGEST);
        }
    }
    return CLI_DONE;
}

static bool out_size(size_t size, size_t kernel, size_t stride, size_t pad, size_t dilation, size_t *out) {
    size_t reach = dilation * (kernel - 1) + 1;
    if (size + 2 * pad < reach) {
        return false;
    }
    *out = (size + 2 * pad - reach) / stride + 1;
    return true;
}

/* Counts of all arrays, and of the bytes and sums over them, fit; the larger ones bound the rest. */
static bool fits(const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    const size_t sizes[3][4] = {{conv->batch, w->height, w->width, w->channels},
                                {conv->batch, w->out_height, w->out_width, conv->filters},
                                {w->kernel_height, w->kernel_width, w->channels, conv->filters}};
    for (size_t i = 0; i < 3; i++) {
        size_t count = 1;
        for (size_t j = 0; j < 4; j++) {
            if (!stoa_size_scale(&count, sizes[i][j]) || count > STOA_MAX_DIMENSION) {
                return false;
            }
        }
    }
    return true;
}

static int make_window(const char *where, const struct pair *value, struct bench_layer *layer) {
    struct stoa_window *w = &layer->conv.window;
    *w = (struct stoa_window){.height = value[H].height,
                              .width = value[W].height,
                              .channels = value[C].height,
                              .kernel_height = value[R].height,
                              .kernel_width = value[R].width,
                              .stride_height = value[S].height,
                              .stride_width = value[S].width,
                              .dilation_height = value[D].height,
                              .dilation_width = value[D].width,
                              .pad_top = value[P].height,
                              .pad_left = value[P].width};
    layer->conv.batch = value[N].height;
    layer->conv.filters = value[K].height;
    layer->conv.groups = value[G].height;
    if (!out_size(w->height, w->kernel_height, w->stride_height, w->pad_top, w->dilation_height,
                  &w->out_height) ||
        !out_size(w->width, w->kernel_width, w->stride_width, w->pad_left, w->dilation_width,
                  &w->out_width)) {
        return cli_fail(CLI_WRONG, "%s: kernel %zux%zu does not fit input %zux%zu with pad %zux%zu", where,
                        w->kernel_height, w->kernel_width, w->height, w->width, w->pad_top, w->pad_left);
    }
    if (w->channels % layer->conv.groups || layer->conv.filters % layer->conv.groups) {
        return cli_fail(CLI_WRONG, "%s: %zu groups do not divide %zu channels and %zu filters", where,
                        layer->conv.groups, w->channels, layer->conv.filters);
    }
    return fits(&layer->conv)
               ? CLI_DONE
               : cli_fail(CLI_WRONG, "%s: an array has more than %zu numbers", where, STOA_MAX_DIMENSION);
}

/* Read a problem; `text` is taken apart. */
static int read_problem(char *text, const char *where, struct bench_layer *layer) {
    struct pair value[LETTERS] = {0};
    int code = read_words(text, where, layer, value);
    if (code != CLI_DONE) {
        return code;
    }
    for (size_t i = 0; i < LETTERS; i++) {
        bool needed = strchr(layer->linear ? "nck" : "nchkr", letters[i]) != NULL;
        if (!value[i].given && needed) {
            return cli_fail(CLI_WRONG, "%s: '%c' is missing", where, letters[i]);
        }
        if (!value[i].given) {
            size_t fallback = i == P ? 0 : i == W && !layer->linear ? value[H].height : 1;
            value[i] = (struct pair){fallback, fallback, true};
        }
    }
    return make_window(where, value, layer);
}

static struct bench_layer *append(struct bench_layers *layers) {
    struct bench_layer *more = cli_allocate(layers->count + 1, sizeof *more);
    if (layers->count) {
        memcpy(more, layers->layer, layers->count * sizeof *more);
    }
    free(layers->layer);
    layers->layer = more;
    return &more[layers->count++];
}

static int read_row(char *line, const char *where, struct bench_layers *layers) {
    line[strcspn(line, "#\r\n")] = '\0';
    if (!line[strspn(line, " \t")]) {
        return CLI_DONE;
    }
    size_t length = strcspn(line, ":");
    struct bench_layer *layer = append(layers);
    if (!line[length] || length == 0 || length >= sizeof layer->name) {
        return cli_fail(CLI_WRONG, "%s: found '%s', expected NAME: PROBLEM with a name of 1 to %zu letters",
                        where, line, sizeof layer->name - 1);
    }
    memcpy(layer->name, line, length);
    return read_problem(line + length + 1, where, layer);
}

static int read_file(const char *path, struct bench_layers *layers) {
    FILE *file = fopen(path, "re");
    if (!file) {
        return cli_fail(CLI_WRONG, "%s: %s", path, strerror(errno));
    }
    char line[512];
    int code = CLI_DONE;
    for (size_t number = 1; code == CLI_DONE && fgets(line, sizeof line, file); number++) {
        char *where = cli_text("%s:%zu", path, number);
        code = strchr(line, '\n') || feof(file)
                   ? read_row(line, where, layers)
                   : cli_fail(CLI_WRONG, "%s: a line longer than %zu bytes", where, sizeof line - 2);
        free(where);
    }
    if (code == CLI_DONE && ferror(file)) {
        code = cli_fail(CLI_WRONG, "%s: cannot be read", path);
    }
    (void)fclose(file);
    return code;
}

int bench_layers_read(const struct bench *bench, struct bench_layers *layers) {
    const struct bench_options *options = &bench->options;
    *layers = (struct bench_layers){0};
    int code = CLI_DONE;
    if (options->operand_count == 0) {
        char *path = options->layers ? cli_text("%s", options->layers) : bench_shipped_list("layers.list");
        code = read_file(path, layers);
        free(path);
    }
    for (size_t i = 0; code == CLI_DONE && i < options->operand_count; i++) {
        struct bench_layer *layer = append(layers);
        (void)snprintf(layer->name, sizeof layer->name, "%s", options->operands[i]);
        char *text = cli_text("%s", options->operands[i]);
        code = read_problem(text, options->operands[i], layer);
        free(text);
    }
    if (code != CLI_DONE) {
        bench_layers_free(layers);
    }
    return code;
}

int bench_layer_of_shape(const char *name, const char *shape, bool linear, struct bench_layer *layer) {
    char *text = cli_text("conv2d %s", shape);
    int code = read_problem(text, name, layer);
    layer->linear = linear;
    (void)snprintf(layer->name, sizeof layer->name, "%s", name);
    free(text);
    return code;
}

void bench_layers_free(struct bench_layers *layers) {
    free(layers->layer);
    *layers = (struct bench_layers){0};
}

bool bench_layer_wanted(const struct bench *bench, const struct bench_layer *layer, size_t pass) {
    char *name = cli_text("%s %s", layer->name, bench_pass_names[pass]);
    bool wanted = bench_wanted(bench, name) && !(layer->first && pass == STOA_CONV_BACKWARD_DATA);
    free(name);
    return wanted;
}

char *bench_layer_shape(const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    return cli_text("n%zu c%zu h%zu w%zu k%zu r%zux%zu s%zux%zu p%zux%zu d%zux%zu g%zu", conv->batch,
                    w->channels, w->height, w->width, conv->filters, w->kernel_height, w->kernel_width,
                    w->stride_height, w->stride_width, w->pad_top, w->pad_left, w->dilation_height,
                    w->dilation_width, conv->groups);
}

size_t bench_layer_rows(const struct stoa_conv *conv) {
    return conv->batch * conv->window.out_height;
}

size_t bench_layer_input(const struct stoa_conv *conv) {
    return conv->batch * conv->window.height * conv->window.width * conv->window.channels;
}

size_t bench_layer_weights(const struct stoa_conv *conv) {
    return conv->window.kernel_height * conv->window.kernel_width * (conv->window.channels / conv->groups) *
           conv->filters;
}

size_t bench_layer_output(const struct stoa_conv *conv) {
    return bench_layer_rows(conv) * conv->window.out_width * conv->filters;
}

double bench_layer_flops(const struct stoa_conv *conv) {
    return 2.0 * (double)bench_layer_rows(conv) * (double)conv->window.out_width *
           (double)bench_layer_weights(conv);
}

void bench_layer_note(struct bench_record *record, const struct bench_layer *layer, size_t pass,
                      const char *shape, const char *algorithm, const struct bench_error *error) {
    bench_note(record, "layer", layer->name);
    bench_note(record, "pass", bench_pass_names[pass]);
    bench_note(record, "shape", shape);
    bench_note(record, "algorithm", algorithm);
    bench_flag(record, "verified", error->right);
    bench_counter(record, "error", error->largest);
    bench_counter(record, "error_bound", error->bound);
    bench_counter(record, "outputs_verified", (double)error->looked_at);
    bench_counter(record, "outputs", (double)error->of);
    if (record->times) {
        double flops = bench_layer_flops(&layer->conv);
        bench_counter(record, "flops", flops);
        bench_counter(record, "flops_per_second", flops / record->times->summary.median);
        bench_counter(record, "spread", record->times->summary.spread);
    }
}

/* SPDX-License-Identifier: MIT */
/* The command line of a mode: one table says what every option is called, takes and means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/isa_list.h"
#include "bench/bench.h"
#include "cli/arguments.h"

/* Seconds. Less where several engines or algorithms take turns, so that a whole list takes minutes. */
static const double MIN_TIME = 0.1, MIN_TIME_BESIDE_OTHERS = 0.03;
/* Beside a peer single rows count, and on a virtual machine its neighbours spoil one block in twenty. */
enum { REPETITIONS = 5, REPETITIONS_BESIDE_PEER = 9 };

enum option_type { FLAG, COUNT, NUMBER, TEXT, POLICY };

struct option {
    const char *name;
    enum option_type type;
    size_t offset; /* in struct bench_options */
    const char *value, *meaning;
    double lowest, highest;
};

#define AT(member) offsetof(struct bench_options, member)
static const struct option options[] = {
    {"filter", TEXT, AT(filter), "REGEX", "only what this extended regular expression finds", 0, 0},
    {"json", TEXT, AT(json), "FILE",
     "write results in Google Benchmark's schema; -: to the standard output, tables to the error", 0, 0},
    {"trace", TEXT, AT(trace), "FILE", "write some steps in Chrome's trace event format, for Perfetto", 0, 0},
    {"layers", TEXT, AT(layers), "FILE", "layer list (default: the one that ships)", 0, 0},
    {"isa", TEXT, AT(isa), "NAME",
     "base, avx2 or avx512 for the engine, the BLAS and a peer (default: the best); ops: or all", 0, 0},
    {"peer", TEXT, AT(peer), "ENGINE",
     "compare with onednn, onednn3 or xnnpack instead; latency: pytorch, onnxruntime, or all; train: pytorch",
     0, 0},
    {"python", TEXT, AT(python), "PATH", "the Python that has the peer's package (default: python3)", 0, 0},
    {"rows", TEXT, AT(rows), "FILE", "list of rows (default: the one that ships)", 0, 0},
    {"data", TEXT, AT(data), "PATH", "where MNIST lies (default: where stoa finds it)", 0, 0},
    {"seeds", COUNT, AT(seeds), "N", "seeds or splits of each row (default: the list's); accuracy: 10", 1,
     1000},
    {"target", NUMBER, AT(target), "SHARE", "test accuracy to be reached, from 0 to 1 (default: 0.99)", 1e-6,
     1},
    {"stoa", TEXT, AT(stoa), "PATH", "the command that trains (default: the one beside this)", 0, 0},
    {"out", TEXT, AT(out), "PATH",
     "where to write; plot: a folder (default: the current one), report: a page (default: report.html), fit: "
     "a "
     "tuning table (default: my.tuning)",
     0, 0},
    {"threads", COUNT, AT(threads), "N", "threads, 1 to 256 (default: one a CPU)", 1, CLI_MOST_THREADS},
    {"repetitions", COUNT, AT(repetitions), "N", "timed repetitions of each case (default: 5, with --peer 9)",
     1, BENCH_MOST_REPETITIONS},
    {"batch", COUNT, AT(batch), "N", "images in a batch", 1, 65536},
    {"min-time", NUMBER, AT(min_time), "S",
     "seconds that a repetition lasts at least (default: 0.1; 0.03 beside a peer or other algorithms)", 1e-6,
     1000},
    {"policy", POLICY, AT(policy), "NAME", "default, exact or blas", 0, 0},
    {"list", FLAG, AT(list), NULL, "print the names and measure nothing", 0, 0},
    {"no-naive", FLAG, AT(no_naive), NULL, "leave out the naive loops", 0, 0},
    {"all-algorithms", FLAG, AT(all_algorithms), NULL,
     "time every convolution algorithm instead, beside the one chosen", 0, 0},
    {"check", FLAG, AT(check), NULL, "say what the table in use loses, and write nothing", 0, 0},
    {"force", FLAG, AT(force), NULL, "replace the file", 0, 0},
    {"steps", FLAG, AT(steps), NULL, "the best naive loops, im2col and the BLAS, and Stoa, no more", 0, 0},
    {"serve", FLAG, AT(serve), NULL, "take steps when a line of the standard input asks, as a peer does", 0,
     0},
    {"markdown", FLAG, AT(markdown), NULL, "tables in Markdown, for pages", 0, 0},
    {"wide", FLAG, AT(wide), NULL, "all columns of the tables, however long the lines", 0, 0},
    {"self-test", FLAG, AT(self_test), NULL,
     "break the results: every row must be found wrong, the exit status be 1", 0, 0},
};
#undef AT
enum { OPTIONS = sizeof options / sizeof options[0] };

static bool takes(const struct bench_mode *mode, const struct option *option) {
    for (const char *const *name = mode->options; *name; name++) {
        if (strcmp(*name, option->name) == 0) {
            return true;
        }
    }
    return false;
}

static const struct option *find_option(const struct bench_mode *mode, const char *name, size_t length) {
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0 &&
            takes(mode, &options[i])) {
            return &options[i];
        }
    }
    return NULL;
}

static int read_policy(const char *text, struct bench_options *out) {
    const char *name;
    for (int i = 0; (name = stoa_policy_name((stoa_policy)i)) != NULL; i++) {
        if (strcmp(text, name) == 0) {
            out->policy = (stoa_policy)i;
            out->policy_given = true;
            return CLI_DONE;
        }
    }
    return cli_fail(CLI_WRONG, "--policy: found '%s', expected default, exact or blas", text);
}

static int wrong_value(const struct option *option, const char *text) {
    return cli_fail(CLI_WRONG, "--%s: found '%s', expected a %s from %.7g to %.7g", option->name, text,
                    option->type == COUNT ? "whole number" : "number", option->lowest, option->highest);
}

/* Put one value in its place. */
static int store(const struct option *option, const char *text, struct bench_options *out) {
    char *place = (char *)out + option->offset;
    uint64_t count;
    double number;
    switch (option->type) {
    case FLAG:
        memcpy(place, &(bool){true}, sizeof(bool));
        return CLI_DONE;
    case COUNT:
        if (!cli_read_count(text, (uint64_t)option->lowest, (uint64_t)option->highest, &count)) {
            return wrong_value(option, text);
        }
        memcpy(place, &(size_t){(size_t)count}, sizeof(size_t));
        return CLI_DONE;
    case NUMBER:
        if (!cli_read_number(text, option->lowest, option->highest, &number)) {
            return wrong_value(option, text);
        }
        memcpy(place, &number, sizeof number);
        return CLI_DONE;
    case POLICY:
        return read_policy(text, out);
    case TEXT:
        break;
    }
    if (!*text) {
        return cli_fail(CLI_WRONG, "--%s: found '', expected %s", option->name, option->value);
    }
    memcpy(place, &text, sizeof text);
    return CLI_DONE;
}

/* Read the option at arguments[*next] and step over it and its value. */
static int read_option(const struct bench_mode *mode, int count, char **arguments, int *next,
                       struct bench_options *out) {
    const char *name = arguments[(*next)++] + 2;
    size_t length = strcspn(name, "=");
    const struct option *option = find_option(mode, name, length);
    if (!option) {
        return cli_fail(CLI_WRONG, "--%.*s: unknown option, 'stoa-bench %s --help' lists them", (int)length,
                        name, mode->name);
    }
    const char *text = name[length] ? name + length + 1 : NULL;
    if (option->type == FLAG) {
        return text ? cli_fail(CLI_WRONG, "--%s: found '%s', expected no value", option->name, text)
                    : store(option, NULL, out);
    }
    if (!text && *next < count) {
        text = arguments[(*next)++];
    }
    return text ? store(option, text, out)
                : cli_fail(CLI_WRONG, "--%s: value missing, expected %s", option->name, option->value);
}

int bench_isa_read(const char *text, const char *others, stoa_isa *isa) {
    char names[256];
    size_t length = 0;
    for (int i = 0; i < STOA_ISA_COUNT; i++) {
        const char *before = i == 0 ? "" : i + 1 < STOA_ISA_COUNT || *others ? ", " : " or ";
        if (strcmp(text, stoa_isa_name((stoa_isa)i)) == 0) {
            *isa = (stoa_isa)i;
            return *isa <= stoa_isa_best() ? CLI_DONE
                                           : cli_fail(CLI_WRONG, "--isa: found '%s', this CPU runs up to %s",
                                                      text, stoa_isa_name(stoa_isa_best()));
        }
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", before,
                                   stoa_isa_name((stoa_isa)i));
    }
    return cli_fail(CLI_WRONG, "--isa: found '%s', expected %s%s", text, names, others);
}

const char *bench_held_core(const struct bench_options *chosen) {
#define CORE(name, NAME, lanes, registers, core, features) [STOA_ISA_##NAME] = #core,
    static const char *const cores[STOA_ISA_COUNT] = {[STOA_ISA_BASE] = "Nehalem", STOA_ISA_LIST(CORE)};
#undef CORE
    bool held = chosen->is_held && chosen->highest < stoa_isa_best();
    return held ? cores[chosen->highest] : NULL;
}

int bench_options_read(const struct bench_mode *mode, int count, char **arguments, struct bench_options *out,
                       bool *help) {
    *out = (struct bench_options){.operands = arguments};
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            *help = true;
            return CLI_DONE;
        }
    }
    for (int next = 0; next < count;) {
        if (strncmp(arguments[next], "--", 2) != 0 || !arguments[next][2]) {
            if (out->operand_count == mode->most_operands) {
                return cli_fail(CLI_WRONG, "%s: found '%s', expected stoa-bench %s", mode->name,
                                arguments[next], mode->usage);
            }
            out->operands[out->operand_count++] = arguments[next++];
            continue;
        }
        int code = read_option(mode, count, arguments, &next, out);
        if (code != CLI_DONE) {
            return code;
        }
    }
    if (out->isa && mode->holds_isa) {
        int code = bench_isa_read(out->isa, "", &out->highest);
        if (code != CLI_DONE) {
            return code;
        }
        out->is_held = true;
    }
    if (out->min_time == 0) {
        out->min_time = mode->compares || out->peer || out->all_algorithms || out->steps
                            ? MIN_TIME_BESIDE_OTHERS
                            : MIN_TIME;
    }
    if (out->repetitions == 0) {
        out->repetitions = out->peer ? REPETITIONS_BESIDE_PEER : REPETITIONS;
    }
    return CLI_DONE;
}

bool bench_options_at(const struct bench_mode *mode, size_t at, const char **name, const char **value,
                      const char **meaning) {
    for (size_t i = 0; i < OPTIONS; i++) {
        if (takes(mode, &options[i]) && at-- == 0) {
            *name = options[i].name;
            *value = options[i].value;
            *meaning = options[i].meaning;
            return true;
        }
    }
    return false;
}

void bench_options_help(const struct bench_mode *mode) {
    (void)printf("Usage: stoa-bench %s\n\n%s\n\nOptions:\n", mode->usage, mode->summary);
    for (size_t i = 0; i < OPTIONS; i++) {
        if (takes(mode, &options[i])) {
            char *name = cli_text("--%s%s%s", options[i].name, options[i].value ? " " : "",
                                  options[i].value ? options[i].value : "");
            (void)printf("  %-17s %s\n", name, options[i].meaning);
            free(name);
        }
    }
}

/* SPDX-License-Identifier: MIT */
/* `stoa-bench completion`: completion of modes and options for shells. */
#include "cli/complete.h"

#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/modes.h"

#define BENCH_ADDRESS(name) &bench_mode_##name,
static const struct bench_mode *const modes[] = {BENCH_MODES(BENCH_ADDRESS) NULL};
#undef BENCH_ADDRESS

static const char *mode_at(size_t index, const char **summary, const char **operand) {
    if (!modes[index]) {
        return NULL;
    }
    *summary = modes[index]->summary;
    *operand = modes[index]->most_operands > 0 ? modes[index]->usage : "";
    return modes[index]->name;
}

/* Names of policies or of instruction sets, a space between. */
static const char *join(const char *(*name_of)(int), char words[256]) {
    const char *name;
    size_t used = 0;
    for (int i = 0; (name = name_of(i)) != NULL && used < 256; i++) {
        used += (size_t)snprintf(words + used, 256 - used, "%s%s", i ? " " : "", name);
    }
    return words;
}

static const char *policy_at(int index) {
    return stoa_policy_name((stoa_policy)index);
}

static const char *isa_at(int index) {
    return index < STOA_ISA_COUNT ? stoa_isa_name((stoa_isa)index) : NULL;
}

static int option_at(size_t index, size_t at, struct cli_completed_option *option, char words[256]) {
    if (!bench_options_at(modes[index], at, &option->name, &option->value, &option->meaning)) {
        return 0;
    }
    option->words = strcmp(option->name, "policy") == 0 ? join(policy_at, words)
                    : strcmp(option->name, "isa") == 0  ? join(isa_at, words)
                                                        : NULL;
    return 1;
}

int bench_complete(const char *shell) {
    static const struct cli_completed completed = {"stoa-bench", "stoa_bench", mode_at, option_at};
    return cli_complete_print(shell, &completed);
}

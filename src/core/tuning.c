/* SPDX-License-Identifier: MIT */
/* Tuning tables: those that ship, read once from the texts that the build has put into the library, and the
 * way from a CPU to one of them. */
#include "core/tuning.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/isa_list.h"
#include "core/context.h"
#include "core/tuning_files.h"
#include "core/tuning_text.h"

/* A table's name and the lines of its file. */
static const struct {
    const char *name;
    const char *const *lines;
} tuning_files[] = {STOA_TUNING_FILES};
enum { FILES = sizeof tuning_files / sizeof tuning_files[0] };

static struct stoa_tuning shipped[FILES];
static size_t ready; /* tables of `shipped` */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const struct stoa_tuning *find_ready(const char *name) {
    for (size_t i = 0; i < ready; i++) {
        if (strcmp(shipped[i].name, name) == 0) {
            return &shipped[i];
        }
    }
    return NULL;
}

static void read_shipped(void) {
    struct stoa_error error;
    for (size_t i = 0; i < FILES; i++) {
        struct stoa_tuning_reader reader;
        stoa_tuning_reader_begin(&reader, &error, tuning_files[i].name, find_ready);
        stoa_status status = STOA_OK;
        for (const char *const *line = tuning_files[i].lines; status == STOA_OK && *line; line++) {
            status = stoa_tuning_reader_line(&reader, *line, strlen(*line));
        }
        if (status == STOA_OK) {
            status = stoa_tuning_reader_end(&reader, &shipped[i]);
        }
        /* The tests read every file that ships. */
        assert(status == STOA_OK);
        (void)status;
        ready++; /* a file finds those before it */
    }
}

const struct stoa_tuning *stoa_tuning_find(const char *name) {
    (void)pthread_once(&once, read_shipped);
    return find_ready(name);
}

const char *stoa_tuning_name(size_t index) {
    return index < FILES ? tuning_files[index].name : NULL;
}

const char *stoa_context_tuning(const stoa_context *context) {
    return context->tuning->name;
}

const char *stoa_context_tuning_sum(const stoa_context *context) {
    return context->tuning->sum;
}

/* A table that a context has read itself: it stays while the context does, since plans point to it. */
struct stoa_tuning_read {
    struct stoa_tuning_read *next;
    struct stoa_tuning tuning;
};

static stoa_status set_file(stoa_context *context, const char *path) {
    struct stoa_tuning_read *made = calloc(1, sizeof *made);
    if (!made) {
        return stoa_fail(context, STOA_ERR_MEMORY, "tuning: no memory for a table");
    }
    stoa_status status = stoa_tuning_read_file(&context->error, path, &made->tuning);
    if (status != STOA_OK) {
        free(made);
        return status;
    }
    made->next = context->tunings;
    context->tunings = made;
    context->tuning = &made->tuning;
    return STOA_OK;
}

stoa_status stoa_context_set_tuning(stoa_context *context, const char *table) {
    const struct stoa_tuning *found;
    if (!table) {
        const struct stoa_cpu cpu = stoa_cpu_of_machine();
        found = stoa_tuning_of_cpu(&cpu, context->isa);
    } else if (strpbrk(table, "./")) { /* no name that ships has any */
        return set_file(context, table);
    } else {
        found = stoa_tuning_find(table);
    }
    if (!found) {
        char names[512] = "";
        for (size_t i = 0; i < FILES; i++) {
            size_t length = strlen(names);
            (void)snprintf(names + length, sizeof names - length, "%s, ", tuning_files[i].name);
        }
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "tuning: found '%.64s', expected %sor the path of a file", table, names);
    }
    context->tuning = found;
    return STOA_OK;
}

struct stoa_tuning_turn stoa_tuning_begin(stoa_context *context, const struct stoa_tuning *table) {
    struct stoa_tuning_turn turn = {context, context->tuning};
    context->tuning = table;
    return turn;
}

void stoa_tuning_end(const struct stoa_tuning_turn *turn) {
    turn->context->tuning = turn->before;
}

void stoa_tuning_release(stoa_context *context) {
    while (context->tunings) {
        struct stoa_tuning_read *first = context->tunings;
        context->tunings = first->next;
        free(first);
    }
}

/* Classes of CPUs: those of a vendor and family whose model lies in a range, held to an instruction set. The
 * first that fits counts. */
static const struct class {
    const char *vendor;
    unsigned family, first, last; /* family 0: any */
    stoa_isa isa;
    const char *name;
} classes[] = {
    {"AuthenticAMD", 25, 0, 255, STOA_ISA_AVX512, "zen4"},
    {"AuthenticAMD", 26, 0, 255, STOA_ISA_AVX512, "zen5"},
    {"AuthenticAMD", 25, 0x10, 0x1f, STOA_ISA_AVX2, "zen4-avx2"},
    {"AuthenticAMD", 25, 0x60, 0xaf, STOA_ISA_AVX2, "zen4-avx2"},
    {"AuthenticAMD", 26, 0, 255, STOA_ISA_AVX2, "zen4-avx2"},
    {"AuthenticAMD", 0, 0, 255, STOA_ISA_AVX2, "amd-avx2"},
    {"HygonGenuine", 0, 0, 255, STOA_ISA_AVX2, "amd-avx2"},
    /* Sapphire, Emerald and Granite Rapids: 2 MiB of level 2 cache. */
    {"GenuineIntel", 6, 143, 143, STOA_ISA_AVX512, "intel-server"},
    {"GenuineIntel", 6, 207, 207, STOA_ISA_AVX512, "intel-server"},
    {"GenuineIntel", 6, 173, 174, STOA_ISA_AVX512, "intel-server"},
    {"GenuineIntel", 6, 143, 143, STOA_ISA_AVX2, "intel-server-avx2"},
    {"GenuineIntel", 6, 207, 207, STOA_ISA_AVX2, "intel-server-avx2"},
    {"GenuineIntel", 6, 173, 174, STOA_ISA_AVX2, "intel-server-avx2"},
    {"GenuineIntel", 0, 0, 255, STOA_ISA_AVX2, "intel-desktop-avx2"},
};

#define GENERIC(name, NAME, lanes, registers, core, features) [STOA_ISA_##NAME] = "generic-" #name,
static const char *const generic[STOA_ISA_COUNT] = {[STOA_ISA_BASE] = "generic-base", STOA_ISA_LIST(GENERIC)};

const struct stoa_tuning *stoa_tuning_of_cpu(const struct stoa_cpu *cpu, stoa_isa isa) {
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        const struct class *class = &classes[i];
        if (strcmp(cpu->vendor, class->vendor) == 0 && isa == class->isa &&
            (class->family == 0 || cpu->family == class->family) && cpu->model >= class->first &&
            cpu->model <= class->last) {
            return stoa_tuning_find(class->name);
        }
    }
    return stoa_tuning_find(generic[isa]);
}

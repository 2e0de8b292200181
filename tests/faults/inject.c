/* SPDX-License-Identifier: MIT */
/* Makes one call of a program fail: the Nth allocation or the Nth call for input or output, once or from
 * there on.
 *
 * Loaded with LD_PRELOAD. The environment says what fails:
 *     STOA_FAULT=memory:17     the 17th allocation returns NULL with ENOMEM; memory:17+ and all later ones
 *     STOA_FAULT=io:17         the 17th of open, read, write, fsync, rename, stat, readdir, mmap, ... fails;
 *                              with io:17+ and from there on all that need room on the disk, which is full
 *     STOA_FAULT=short:17+     read and write move half of what was asked for
 *     STOA_FAULT=interrupt:17  read and write fail with EINTR, which says only: ask again
 *     STOA_FAULT=none          nothing fails; calls are counted
 *     STOA_FAULT_REPORT=FILE   gets a line for each call that failed and, at the end, one with the counts
 *
 * Counted are calls between the beginning of main() and the end of the process that the program, its own
 * library and the libraries for JSON, INI, PNG and zlib make, and those that libc makes in their name
 * (asprintf, opendir). Not counted are the dynamic loader's and the BLAS's own: OpenBLAS asks for its buffers
 * again and again for ever, which nobody outside it can mend. Neither are fcntl(), lseek() and what is
 * written to stderr. What libc does inside a call without leaving itself is made to fail as that call:
 * opendir, readdir, realpath. stdio's streams are rebuilt on counted calls: standard output and what fopen()
 * opens.
 *
 * For glibc, whose own allocator is behind the names that are defined in inject_calls.c. */
#include "inject.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

enum kind { MEMORY, IO, TRANSFER, KINDS };

static struct {
    enum kind kind;
    bool interrupts, from_there_on;
    unsigned long at;
    int report; /* -1: none */
} fault = {.report = -1};

static atomic_bool begun;
static atomic_ulong counts[KINDS];

/* ---- reports: no memory and no call that could be counted ---- */

static void report(const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (fault.report >= 0 && length > 0) {
        size_t bytes = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
        (void)syscall(SYS_write, fault.report, line, bytes);
    }
}

/* ---- who calls ---- */

enum owner { OURS, LIBC, SPARED };

enum { MOST_MODULES = 128 };

static struct module {
    uintptr_t base, low, high;
    enum owner owner;
    const char *name;
} modules[MOST_MODULES];
static size_t module_count;
static bool has_vendor;

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static enum owner owner_of_module(const char *name) {
    static const char *const vendors[] = {"blas", "blis", "mkl", "gfortran", "quadmath", "gomp", "lapack"};
    for (size_t i = 0; i < sizeof vendors / sizeof vendors[0]; i++) {
        if (strstr(name, vendors[i])) {
            has_vendor = true;
            return SPARED;
        }
    }
    if (strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld64", 4) == 0 ||
        strncmp(name, "libgcc_s", 8) == 0 || strstr(name, "stoa-faults") || strstr(name, "vdso")) {
        return SPARED;
    }
    return strncmp(name, "libc.so", 7) == 0 || strncmp(name, "libc-2", 6) == 0 ? LIBC : OURS;
}

static int note_module(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size;
    (void)unused;
    const char *name = base_name(info->dlpi_name);
    for (int i = 0; i < info->dlpi_phnum && module_count < MOST_MODULES; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X)) {
            uintptr_t low = info->dlpi_addr + part->p_vaddr;
            modules[module_count++] = (struct module){info->dlpi_addr, low, low + part->p_memsz,
                                                      owner_of_module(name), *name ? name : "program"};
        }
    }
    return 0;
}

static const struct module *module_of(uintptr_t address) {
    for (size_t i = 0; i < module_count; i++) {
        if (address >= modules[i].low && address < modules[i].high) {
            return &modules[i];
        }
    }
    return NULL;
}

struct walk {
    enum owner found;
    bool trace; /* report every frame */
    int depth;
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *user) {
    struct walk *walk = user;
    uintptr_t address = _Unwind_GetIP(context);
    const struct module *module = module_of(address);
    if (!module) {
        return _URC_END_OF_STACK;
    }
    if (walk->trace) {
        if (strstr(module->name, "stoa-faults") == NULL && walk->depth++ < 8) {
            report(" %s+0x%lx", module->name, (unsigned long)(address - module->base));
        }
        return walk->depth < 8 ? _URC_NO_REASON : _URC_END_OF_STACK;
    }
    if (module->owner == LIBC || strstr(module->name, "stoa-faults")) {
        return _URC_NO_REASON;
    }
    walk->found = module->owner;
    return _URC_END_OF_STACK;
}

/* Whether a call that returns to `address` is one of those that count. */
bool faults_counts_from(const void *address) {
    const struct module *module = module_of((uintptr_t)address);
    if (!atomic_load(&begun) || !module) {
        return false;
    }
    if (module->owner != LIBC) {
        return module->owner == OURS;
    }
    struct walk walk = {.found = SPARED};
    (void)_Unwind_Backtrace(step, &walk);
    return walk.found == OURS;
}

bool faults_counting(void) {
    return atomic_load(&begun);
}

/* ---- which call fails ---- */

bool faults_interrupt(void) {
    return fault.interrupts;
}

/* A line with the call that fails and the code that made it. */
static void say(const char *name) {
    struct walk walk = {.trace = true};
    report("failed %s", name);
    (void)_Unwind_Backtrace(step, &walk);
    report("\n");
}

static bool strikes(enum kind kind) {
    unsigned long number = atomic_fetch_add(&counts[kind], 1) + 1;
    return fault.kind == kind && fault.at > 0 &&
           (fault.from_there_on ? number >= fault.at : number == fault.at);
}

bool faults_memory_fails(const char *name, const void *caller) {
    if (!faults_counts_from(caller) || !strikes(MEMORY)) {
        return false;
    }
    say(name);
    errno = ENOMEM;
    return true;
}

/* From there on only what needs room on the disk fails: it is full. */
bool faults_io_fails(const char *name, int number, bool counted) {
    if (!counted || !strikes(IO) || (fault.from_there_on && number != ENOSPC)) {
        return false;
    }
    say(name);
    errno = number;
    return true;
}

/* What a read or write may move: all, a part of it, or nothing (false). */
bool faults_transfers(const char *name, int number, size_t *bytes, bool counted) {
    if (faults_io_fails(name, number, counted)) {
        return false;
    }
    if (!counted || !strikes(TRANSFER)) {
        return true;
    }
    if (fault.interrupts) {
        say(name);
        errno = EINTR;
        return false;
    }
    if (*bytes > 1) {
        say(name);
        *bytes /= 2;
    }
    return true;
}

#pragma GCC visibility push(default)

/* ---- beginning and end ---- */

static int (*real_main)(int, char **, char **);

static int counted_main(int count, char **arguments, char **environment) {
    module_count = 0;
    (void)dl_iterate_phdr(note_module, NULL);
    struct walk warm_up = {.found = SPARED}; /* the unwinder takes its own memory the first time */
    (void)_Unwind_Backtrace(step, &warm_up);
    stdout = faults_stream(STDOUT_FILENO, "w");
    atomic_store(&begun, true);
    return real_main(count, arguments, environment);
}

typedef int start_function(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                           void (*)(void), void *);
int __libc_start_main(int (*program)(int, char **, char **), int count, char **arguments, void (*first)(void),
                      void (*last)(void), void (*unload)(void), void *stack);

int __libc_start_main(int (*program)(int, char **, char **), int count, char **arguments, void (*first)(void),
                      void (*last)(void), void (*unload)(void), void *stack) {
    void *real = dlsym(RTLD_NEXT, "__libc_start_main");
    start_function *start;
    memcpy(&start, &real, sizeof start);
    real_main = program;
    return start(counted_main, count, arguments, first, last, unload, stack);
}

#pragma GCC visibility pop

__attribute__((constructor)) static void read_wish(void) {
    static const char *const kinds[KINDS] = {"memory:", "io:", "short:"};
    static const char interrupt[] = "interrupt:";
    const char *wish = getenv("STOA_FAULT"), *path = getenv("STOA_FAULT_REPORT");
    const char *number = NULL;
    for (int kind = 0; wish && kind < KINDS; kind++) {
        if (strncmp(wish, kinds[kind], strlen(kinds[kind])) == 0) {
            fault.kind = (enum kind)kind;
            number = wish + strlen(kinds[kind]);
        }
    }
    if (wish && strncmp(wish, interrupt, sizeof interrupt - 1) == 0) {
        fault.kind = TRANSFER;
        fault.interrupts = true;
        number = wish + sizeof interrupt - 1;
    }
    if (number) {
        char *end = NULL;
        fault.at = strtoul(number, &end, 10);
        fault.from_there_on = *end == '+';
    }
    if (path) {
        int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        fault.report = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, 200);
        (void)syscall(SYS_close, file);
    }
}

/* Last of all: what the end of the process writes is counted too. */
__attribute__((destructor)) static void report_counts(void) {
    report("counts memory %lu io %lu transfers %lu vendor %d\n", atomic_load(&counts[MEMORY]),
           atomic_load(&counts[IO]), atomic_load(&counts[TRANSFER]), has_vendor);
}

/* SPDX-License-Identifier: MIT */
/* Loading a peer's module, if this build has it and its library is there. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare.h"

extern char **environ;

static const struct {
    const char *name, *package;
} known[] = {{"onednn", "oneDNN (Debian: libdnnl-dev)"},
             {"onednn3", "another oneDNN (meson setup -Donednn3=FOLDER, in which include and lib lie)"},
             {"xnnpack", "XNNPACK of 2022 and pthreadpool (Debian: libxnnpack-dev, libpthreadpool-dev)"}};
enum { KNOWN = sizeof known / sizeof known[0] };

/* Settings of the shell for OpenMP or the peer would make it other than it is at its best, or keep its
 * threads spinning beside the engine's. They are read when the libraries are loaded. */
static void forget_settings(void) {
    static const char *const prefixes[] = {"OMP_", "GOMP_", "KMP_", "DNNL_", "ONEDNN_"};
    for (char **variable = environ; *variable;) {
        bool found = false;
        for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
            found = found || strncmp(*variable, prefixes[i], strlen(prefixes[i])) == 0;
        }
        char *name = found ? cli_text("%.*s", (int)strcspn(*variable, "="), *variable) : NULL;
        if (found && unsetenv(name) == 0) {
            variable = environ; /* the list has moved */
        } else {
            variable++;
        }
        free(name);
    }
}

static int open_module(const char *path, size_t which, struct bench_loaded *loaded) {
    if (!path) {
        return cli_fail(CLI_WRONG,
                        "--peer %s: this build of stoa-bench has no such peer, it was made without %s",
                        known[which].name, known[which].package);
    }
    forget_settings();
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    loaded->peer = module ? dlsym(module, BENCH_PEER_SYMBOL) : NULL;
    return loaded->peer ? CLI_DONE : cli_fail(CLI_WRONG, "--peer %s: %s", known[which].name, dlerror());
}

static int open_peer(const char *name, struct bench_loaded *loaded) {
    *loaded = (struct bench_loaded){0};
    size_t which = 0;
    while (which < KNOWN && strcmp(known[which].name, name) != 0) {
        which++;
    }
    if (which == KNOWN) {
        return cli_fail(CLI_WRONG, "--peer: found '%s', expected onednn, onednn3 or xnnpack", name);
    }
    char *path = bench_shipped_peer(name);
    int code = open_module(path, which, loaded);
    free(path);
    return code;
}

int bench_peer_check(const char *name) {
    struct bench_loaded loaded;
    return open_peer(name, &loaded);
}

int bench_peer_load(const char *name, size_t threads, stoa_isa isa, struct bench_loaded *loaded) {
    int code = open_peer(name, loaded);
    const stoa_isa *held = isa < stoa_isa_best() ? &isa : NULL;
    if (code == CLI_DONE && !loaded->peer->start(threads, held, loaded->version, sizeof loaded->version)) {
        code = cli_fail(CLI_WRONG, "--peer %s: %s", name, loaded->version);
        *loaded = (struct bench_loaded){0};
    }
    return code;
}

void bench_peer_unload(struct bench_loaded *loaded) {
    /* The module stays: threads of its libraries may still stand in their code. */
    loaded->peer->stop();
    *loaded = (struct bench_loaded){0};
}

/* SPDX-License-Identifier: MIT */
/* What ships with the program: its lists and peers, found from its own place, as an installed prefix may be
 * moved. In the build folder there is no such prefix around it: lists are those of the source tree, peers lie
 * beside it. */
#include <stdlib.h>

#include "bench/bench.h"
#include "cli/find.h"

char *bench_shipped_list(const char *name) {
    char *installed = cli_text("%s/bench/%s", STOA_DATA_FROM_COMMAND, name);
    char *path = cli_find_beside(installed);
    free(installed);
    return path ? path : cli_text("%s/%s", BENCH_SOURCE, name);
}

char *bench_shipped_script(const char *name) {
    char *installed = cli_text("%s/%s", BENCH_PEERS_FROM_COMMAND, name);
    char *path = cli_find_beside(installed);
    free(installed);
    return path ? path : cli_text("%s/peers/%s", BENCH_SOURCE, name);
}

char *bench_shipped_peer(const char *name) {
    static const char *const folders[] = {"peers", BENCH_PEERS_FROM_COMMAND};
    char *path = NULL;
    for (size_t i = 0; !path && i < sizeof folders / sizeof folders[0]; i++) {
        char *module = cli_text("%s/%s.so", folders[i], name);
        path = cli_find_beside(module);
        free(module);
    }
    return path;
}

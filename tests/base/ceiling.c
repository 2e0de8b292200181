/* SPDX-License-Identifier: MIT */
/* Linked into every test program: STOA_CPU, which the commands know too, is the highest instruction set that
 * the program finds. stoa_isa_ceiling() is asked by base/cpu.c, here through the shared library as well as
 * the static one. */
#include <stdio.h>
#include <stdlib.h>
#include <stoa/context.h>
#include <string.h>

STOA_API stoa_isa stoa_isa_ceiling(void);

stoa_isa stoa_isa_ceiling(void) {
    const char *text = getenv("STOA_CPU");
    if (!text || !*text) {
        return (stoa_isa)(STOA_ISA_COUNT - 1);
    }
    for (int isa = STOA_ISA_BASE; isa < STOA_ISA_COUNT; isa++) {
        if (strcmp(text, stoa_isa_name((stoa_isa)isa)) == 0) {
            return (stoa_isa)isa;
        }
    }
    (void)fprintf(stderr, "STOA_CPU: found '%s', which is no instruction set\n", text);
    exit(2);
}

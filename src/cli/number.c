/* SPDX-License-Identifier: MIT */
/* Whole and decimal numbers from a command line or the environment. Public headers only. */
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"

bool cli_read_count(const char *text, uint64_t lowest, uint64_t highest, uint64_t *value) {
    uint64_t sum = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(*c - '0');
        if (sum > (UINT64_MAX - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    if (!*text || sum < lowest || sum > highest) {
        return false;
    }
    *value = sum;
    return true;
}

bool cli_read_number(const char *text, double lowest, double highest, double *value) {
    /* strtod() alone would take white space, hexadecimal and names. The locale is C's: it is never set. */
    if (!*text || text[strspn(text, "0123456789+-.eE")]) {
        return false;
    }
    char *end;
    double number = strtod(text, &end);
    if (*end || !(number >= lowest && number <= highest)) {
        return false;
    }
    *value = number;
    return true;
}

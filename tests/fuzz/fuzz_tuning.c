/* SPDX-License-Identifier: MIT */
/* libFuzzer target for tuning tables: any bytes as the text of one. What is read keeps its ranges and reads
 * back from its own text; what is refused leaves the table as it was and names the file. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/tuning.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void require(bool good) {
    if (!good) {
        abort();
    }
}

static void read_again(const struct stoa_tuning *tuning) {
    static char text[65536];
    struct stoa_error error;
    struct stoa_tuning again;
    size_t bytes = stoa_tuning_write(tuning, text, sizeof text);
    require(bytes < sizeof text);
    require(stoa_tuning_read(&error, "f.tuning", text, bytes, &again) == STOA_OK);
    require(strcmp(again.sum, tuning->sum) == 0 && strcmp(again.name, "f") == 0);
    for (size_t i = 0; i < stoa_tuning_key_count(); i++) {
        const struct stoa_tuning_key *key = &stoa_tuning_keys[i];
        double value = stoa_tuning_get(tuning, key);
        require(value >= key->least && value <= key->most && stoa_tuning_get(&again, key) == value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct stoa_error error = {.status = STOA_OK};
    struct stoa_tuning tuning, before;
    memset(&tuning, 0x5a, sizeof tuning);
    before = tuning;
    if (stoa_tuning_read(&error, "f", (const char *)data, bytes, &tuning) == STOA_OK) {
        read_again(&tuning);
    } else {
        require(error.status == STOA_ERR_FORMAT && strncmp(error.text, "f:", 2) == 0);
        require(memcmp(&tuning, &before, sizeof tuning) == 0);
    }
    return 0;
}

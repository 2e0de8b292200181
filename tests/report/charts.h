/* SPDX-License-Identifier: MIT */
/* A chart of each kind, with names and numbers that are hard to draw. */
#ifndef STOA_TESTS_REPORT_CHARTS_H
#define STOA_TESTS_REPORT_CHARTS_H

#include "report/html.h"

#define HOSTILE "<i>\"&'\x01\x1b[31m\xff\xC3]]>--><!-- \xE2\x82\xAC"

enum { CHARTS = 7 };
extern const struct report_chart charts[CHARTS];

#endif

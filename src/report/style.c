/* SPDX-License-Identifier: MIT */
/* The colours of both themes and the classes of drawings.
 *
 * Series have the colours that Okabe and Ito chose for most eyes, made darker on white and lighter on
 * black until each stands out from its background by at least 3 to 1 (WCAG 2.1, 1.4.11). */
#include "report/chart.h"

#define LIGHT                                                                                                \
    "color-scheme:light;--bg:#fff;--ink:#1b1f24;--dim:#57606a;--grid:#dfe3e8;--axis:#8b949e;--panel:#"       \
    "f5f7f9;"                                                                                                \
    "--s1:#0072b2;--s2:#d15300;--s3:#008060;--s4:#b8558f;--s5:#8a6d00;--s6:#2b8cc4;--s7:#5f6368;--s8:#"      \
    "7546b8;"                                                                                                \
    "--heat:#0072b2;--wrong:#d15300"
#define DARK                                                                                                 \
    "color-scheme:dark;--bg:#14171b;--ink:#e8ebee;--dim:#a3abb4;--grid:#2d333a;--axis:#717a84;--panel:#"     \
    "1d2127;"                                                                                                \
    "--s1:#4fb3ee;--s2:#ff9550;--s3:#35c79b;--s4:#e59ac6;--s5:#eed24a;--s6:#9ad6f7;--s7:#b6bcc3;--s8:#"      \
    "b79cf2;"                                                                                                \
    "--heat:#4fb3ee;--wrong:#ff9550"

void report_chart_style(struct report_out *out) {
    report_put(out, ":root{" LIGHT "}\n"
                    "@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light]){" DARK "}}\n"
                    "@media screen{:root[data-theme=dark]{" DARK "}}\n");
    for (int i = 1; i <= 8; i++) {
        report_print(out, ".s%d{--c:var(--s%d)}", i, i);
    }
    report_print(out,
                 "\n"
                 ".chart{font:13px system-ui,-apple-system,\"Segoe UI\",Roboto,Helvetica,Arial,sans-serif}\n"
                 ".chart text{fill:var(--ink)}.chart .t,.chart .n{fill:var(--dim)}\n"
                 ".chart .m{text-anchor:middle}.chart .e{text-anchor:end}\n"
                 ".chart .h{font-size:15px;font-weight:600}.chart .n{font-size:12px}\n"
                 ".chart .v,.chart .w{font-size:11px}\n"
                 ".chart .b{fill:var(--bg)}.chart .g{stroke:var(--grid);fill:none}\n"
                 ".chart .a{stroke:var(--axis);fill:none}.chart .limit{stroke:var(--ink);fill:none}\n"
                 ".chart [class^=s]{fill:var(--c)}\n"
                 ".chart .l{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}\n"
                 ".chart .faint{stroke-width:1;opacity:.55}.chart .o{stroke:var(--bg)}\n"
                 ".chart .best{fill:var(--bg);stroke:var(--c);stroke-width:2.5}\n"
                 ".chart .heat{fill:var(--heat)}.chart .wrong{fill:var(--wrong)}\n"
                 ".chart .frame{fill:none;stroke:var(--grid)}\n"
                 ".chart image{image-rendering:pixelated}\n"
                 "@media print{.chart{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n");
}

# SPDX-License-Identifier: MIT
"""Write the library as two files, stoa.c and stoa.h, for those who drop a library into their own tree.

amalgamate.py ROOT GENERATED STOA_C STOA_H --sources FILE... --kernels FILE... --input-kernels FILE... --references FILE... --dispatch FILE

stoa.h is every public header, in the order in which they need each other. stoa.c is every source, in the order of the
floors. Three things make one translation unit of many files:

- A header is written where it is first needed, and once. Includes of the system's headers go to the top.
- What a source keeps to itself gets a name of its own: file-scope names, enumerators and tags are renamed as tokens
  (a name behind '.' or '->' is a member and stays), macros are undefined at the end of their file.
- The kernels are written once per instruction set, and the references once per type, each time in a section with its
  own compiler options and, with the names of their headers too, its own names.
"""

import argparse
import pathlib
import re
import sys

TOKEN = re.compile(r'''
    (?P<directive>(?:(?<=\n)|\A)[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*)
  | (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
  | (?P<name>[A-Za-z_]\w*)
  | (?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<space>\s+)
  | (?P<mark>->|\.\.\.|\#\#|.)''', re.VERBOSE | re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"].*$', re.MULTILINE)
DEFINE = re.compile(r'^[ \t]*#[ \t]*define[ \t]+(\w+)', re.MULTILINE)
# A macro whose argument is a member's name, for offsetof.
OF_MEMBER = re.compile(r'^[ \t]*#[ \t]*define[ \t]+(\w+)\((\w+)\)(?:\\\n|[^\n])*\boffsetof\([^,\n]*,\s*\2\)', re.MULTILINE)
GUARD = re.compile(r'\A(\s*(?:/\*.*?\*/\s*)*)#ifndef (\w+)\n#define \2\n(.*)#endif\s*\Z', re.DOTALL)
KEYWORDS = frozenset('''_Alignas _Atomic _Static_assert _Thread_local __attribute__ break case char const continue default do
    double else enum extern float for goto if inline int long register restrict return short signed sizeof static struct
    switch typedef union unsigned void volatile while'''.split())
# Macros that paste their argument into a name: the argument is no identifier of the file.
PASTING = ('STOA_KERNEL', 'STOA_REFERENCE')
STATIC = ('static', 'STOA_INLINE')

TOP = '''/* Stoa {version}: the whole library in one file, made by src/package/amalgamate.py. Do not edit.
 *
 *     cc -O3 -fopenmp-simd -fno-trapping-math -c stoa.c
 *     cc program.c stoa.o -lopenblas -lz -ljansson -linih -lpng -ljpeg -lm -ldl -pthread
 *
 * Any BLAS with cblas.h does. gcc or clang. The kernels are here once per instruction set, chosen when the program runs:
 * -march is not needed. Without the two -f options, or with -std=c11 instead of the compilers' own -std=gnu11, results are
 * right and some kernels slower. 32-bit x86 takes -msse2 -mfpmath=sse as well, to round floats as floats. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif
#define ZLIB_CONST
#include "stoa.h"
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h> /* declares functions of the C library, which are not to be hidden */
#endif

{includes}

#pragma GCC visibility push(hidden)
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wunused-function"
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#endif
'''

H_TOP = '''/* Stoa {version}: all public headers in one file, made by src/package/amalgamate.py. Do not edit. */
'''


def tokens_of(text):
    """(kind, text) of all tokens, nothing left out."""
    return [(match.lastgroup, match.group()) for match in TOKEN.finditer(text)]


def significant(tokens):
    return [text for kind, text in tokens if kind not in ('directive', 'comment', 'space')]


class Names:
    """Names that a file keeps to itself: ordinary ones, and tags of structs, unions and enums."""

    def __init__(self):
        self.ordinary = set()
        self.tags = set()

    def collect(self, text, whole):
        """`whole`: every name of a header that is written several times, with or without prefix."""
        words = significant(tokens_of(text))
        braces = parens = 0
        function = False  # the outermost brace is a function's body
        own = typedef = initial = False  # of the declaration at hand
        enum_depth = None
        for i, word in enumerate(words):
            before = words[i - 1] if i else ''
            after = words[i + 1] if i + 1 < len(words) else ''
            if word == '{':
                if braces == 0:
                    function = before == ')'
                if braces == 0 and 'enum' in (before, words[i - 2] if i > 1 else ''):
                    enum_depth = 1
                braces += 1
            elif word == '}':
                braces -= 1
                enum_depth = None if braces == 0 else enum_depth
                if braces == 0 and function:  # its body ends its declaration
                    own = typedef = initial = False
            elif word == '(':
                parens += 1
            elif word == ')':
                parens -= 1
            elif braces == 0 and parens == 0 and word == ';':
                own = typedef = initial = False
            elif braces == 0 and parens == 0 and word in ('=', ','):
                initial = word == '='
            elif braces == 0 and word in STATIC:
                own = True
            elif braces == 0 and word == 'typedef':
                typedef = True
            elif self.declarator(word):
                prefixed = word.startswith(('stoa_', 'STOA_'))
                if before in ('struct', 'union', 'enum'):
                    if braces == 0 and after == '{' and (whole or not prefixed):
                        self.tags.add(word)
                elif enum_depth == braces == 1 and before in ('{', ','):
                    if whole or not prefixed:
                        self.ordinary.add(word)
                elif braces == 0 and parens == 0 and not initial and after in ('(', '=', ';', '[', ',', '__attribute__'):
                    if own or typedef or not prefixed:
                        self.ordinary.add(word)
                elif braces == 0 and parens == 1 and own and words[i - 2:i] == ['(', '*']:
                    self.ordinary.add(word)

    @staticmethod
    def declarator(word):
        return re.fullmatch(r'[A-Za-z_]\w*', word) is not None and word not in KEYWORDS and word not in STATIC

    def without(self, words):
        self.ordinary -= words


def rename(text, names, suffix):
    """`text` with every name of `names` made the file's own."""
    out = []
    last = ['', '', '']  # significant tokens before, the nearest first
    bodies = []  # of open braces: whether each is the body of a struct or union
    stack = []  # of open parentheses: the word before each
    pasting = PASTING + tuple(match.group(1) for match in OF_MEMBER.finditer(text))
    tokens = tokens_of(text)
    for at, (kind, word) in enumerate(tokens):
        if kind == 'directive':
            if re.match(r'[ \t]*#[ \t]*define', word):
                head, mark, rest = word.partition('#')
                word = head + mark + rename(rest, names, suffix)
            out.append(word)
            continue
        if kind in ('comment', 'space'):
            out.append(word)
            continue
        new = word
        if kind == 'name' and last[0] not in ('.', '->'):
            after = next((t for k, t in tokens[at + 1:] if k not in ('comment', 'space', 'directive')), '')
            if last[0] in ('struct', 'union', 'enum'):
                if word in names.tags:
                    new = f'{word}_{suffix}'
            elif word in names.ordinary:
                member = bodies and bodies[-1] and not stack and after in (';', ',', '[', ':')
                member = member or (bodies and bodies[-1] and last[:2] == ['*', '('])
                pasted = last[0] == '(' and last[1] in pasting
                of_type = last[0] == ',' and stack and stack[-1] == 'offsetof'
                if not (member or pasted or of_type):
                    new = f'{word}_{suffix}'
        elif word == '{':
            bodies.append(last[0] in ('struct', 'union') or last[1] in ('struct', 'union'))
        elif word == '}' and bodies:
            bodies.pop()
        elif word == '(':
            stack.append(last[0])
        elif word == ')' and stack:
            stack.pop()
        out.append(new)
        last = [word] + last[:2]
    return ''.join(out)


class Writer:
    def __init__(self, root, generated):
        self.root = root
        self.generated = generated
        self.system = []  # includes for the top, in order of need
        self.written = set()
        self.parts = []

    def find(self, name):
        for folder in (self.root / 'src', self.root, self.generated):
            if (folder / name).is_file():
                return folder / name
        sys.exit(f'amalgamate.py: {name}: no such header')

    def read(self, path):
        return path.read_text(encoding='utf-8')

    def includes(self, path):
        return [(quote, name) for quote, name in INCLUDE.findall(self.read(path))]

    def hoist(self, text, keep=()):
        """`text` without includes of the system's headers; those outside conditions go to the top."""
        lines, depth = [], 0
        for line in text.split('\n'):
            condition = re.match(r'\s*#\s*(if|endif)', line)
            if condition:
                depth += 1 if condition.group(1) == 'if' else -1
            if re.match(r'\s*#\s*pragma\s+once', line):
                continue
            match = INCLUDE.match(line)
            if match and match.group(1) == '<' and match.group(2) not in keep:
                name = match.group(2)
                if name.startswith('stoa/'):
                    continue
                if depth == 0:
                    if name not in self.system:
                        self.system.append(name)
                    continue
            lines.append(line)
        return '\n'.join(lines)

    def header(self, name):
        """Write a header that is needed once, after those it needs itself."""
        if name in self.written:
            return
        self.written.add(name)
        path = self.find(name)
        text = self.read(path)
        for quote, other in INCLUDE.findall(text):
            if quote == '"':
                self.header(other)
        guard = GUARD.match(text)
        text = guard.group(1) + guard.group(3) if guard else text
        self.part(name, self.hoist(INCLUDE.sub(lambda m: '' if m.group(1) == '"' else m.group(), text)))

    def part(self, name, text):
        self.parts.append(f'/* ---- {name} ---- */\n{text.strip()}\n')

    def source(self, path, suffix=None, section=None, keep=()):
        """Write a source. `section`: names of headers that are written anew in it."""
        text = self.read(path)
        if section is None:
            for quote, name in INCLUDE.findall(text):
                if quote == '"':
                    self.header(name)
        names = Names()
        names.collect(text, False)
        macros = DEFINE.findall(text)
        names.without(set(macros))
        if section is not None:
            names.ordinary |= section.ordinary
            names.tags |= section.tags
        text = self.hoist(INCLUDE.sub(lambda m: '' if m.group(1) == '"' else m.group(), text), keep)
        relative = path.relative_to(self.root)
        own = re.sub(r'\W', '_', str(relative.with_suffix('')).removeprefix('src/'))
        if section is not None:
            # The section's names have been made its own: what the headers define and what this file defines differ.
            text = rename(text, section, suffix)
            names.ordinary -= section.ordinary
            names.tags -= section.tags
        text = rename(text, names, f'{own}_{suffix}' if suffix else own)
        undefine = ''.join(f'#undef {macro}\n' for macro in dict.fromkeys(macros))
        self.part(str(relative), text.strip() + ('\n' + undefine if undefine else ''))

    def repeats(self, name):
        """Whether a header belongs into every section: it has code, or depends on the section's macros."""
        text = self.read(self.find(name))
        return bool(re.search(r'\bstatic\b|STOA_ISA\b|STOA_REAL\b', text)) or any(
            quote == '"' and self.repeats(other) for quote, other in INCLUDE.findall(text))

    def closure(self, paths):
        """Local headers of `paths`, needed ones first."""
        found = []

        def visit(name):
            if name in found:
                return
            for quote, other in INCLUDE.findall(self.read(self.find(name))):
                if quote == '"':
                    visit(other)
            if name not in found:
                found.append(name)

        for path in paths:
            for quote, name in INCLUDE.findall(self.read(path)):
                if quote == '"':
                    visit(name)
        return found

    def section(self, suffix, definitions, paths, keep=()):
        """Write sources with all their headers anew, everything they define with `suffix`."""
        headers = self.closure(paths)
        repeated = [name for name in headers if self.repeats(name)]
        for name in headers:
            if name not in repeated:
                self.header(name)
        names, macros, texts = Names(), [], []
        for name in repeated:
            text = self.read(self.find(name))
            guard = GUARD.match(text)
            text = guard.group(1) + guard.group(3) if guard else text
            text = self.hoist(INCLUDE.sub(lambda m: '' if m.group(1) == '"' else m.group(), text), keep)
            macros += DEFINE.findall(text)
            names.collect(text, True)
            texts.append((name, text))
        names.without(set(macros))
        macros = list(dict.fromkeys(macros + [name for name, _ in definitions]))
        undefine = ''.join(f'#undef {macro}\n' for macro in macros)
        self.parts.append(undefine + ''.join(f'#define {name} {value}\n' for name, value in definitions))
        for name, text in texts:
            self.part(f'{name} ({suffix})', rename(text, names, suffix))
        for path in paths:
            self.source(path, suffix, names, keep)
        self.parts.append(undefine)


def isas_of(text):
    """(name, lanes, registers, options, whether it leaves the group of input kernels) of each line of base/isa_list.h."""
    options = []
    for entry in text.split(' ISA(')[1:]:
        name, _, lanes, registers, _, features = (word.strip() for word in entry.split(',', 5))
        options += re.findall(r'(?:NEEDS|WITH)\(([^)]*)\)', features)
        yield name, lanes, registers, tuple(options), 'LEAVES(INPUT)' in features


def options_push(options):
    clang = ','.join(option for option in options if not option.startswith('prefer-'))
    return f'''#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("{clang}"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("{','.join(options)}")
#endif
'''


OPTIONS_POP = '''#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
'''


def licence(root):
    """The licence as a comment: who takes the two files along takes it along."""
    lines = (root / 'LICENSE').read_text(encoding='utf-8').rstrip().split('\n')
    return '/* SPDX-License-Identifier: MIT\n *\n' + '\n'.join((' * ' + line).rstrip() for line in lines) + ' */\n'


def public_header(root, version):
    """stoa.h: the headers in the order in which they need each other."""
    folder = root / 'include' / 'stoa'
    parts, seen = [licence(root), H_TOP.format(version=version)], set()

    def visit(name):
        if name in seen:
            return
        seen.add(name)
        text = (folder / name).read_text(encoding='utf-8')
        for quote, other in INCLUDE.findall(text):
            if quote == '"':
                visit(other)
        text = INCLUDE.sub(lambda m: '' if m.group(1) == '"' else m.group(), text)
        parts.append(re.sub(r'\n{3,}', '\n\n', text))

    visit('stoa.h')
    missing = {path.name for path in folder.glob('*.h')} - seen
    if missing:
        sys.exit(f'amalgamate.py: stoa.h does not take in {", ".join(sorted(missing))}')
    return '\n'.join(parts)


def main():
    parser = argparse.ArgumentParser()
    for name in ('root', 'generated', 'stoa_c', 'stoa_h'):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument('--sources', nargs='+', type=pathlib.Path)
    parser.add_argument('--kernels', nargs='+', type=pathlib.Path)
    parser.add_argument('--input-kernels', nargs='+', type=pathlib.Path)
    parser.add_argument('--references', nargs='+', type=pathlib.Path)
    parser.add_argument('--dispatch', type=pathlib.Path)
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    version = re.search(r'STOA_VERSION_STRING "([^"]+)"',
                        (root / 'include/stoa/version.h').read_text(encoding='utf-8')).group(1)

    def absolute(paths):
        return [path.resolve() for path in paths if path.suffix == '.c']

    writer = Writer(root, arguments.generated.resolve())
    for path in absolute(arguments.sources):
        writer.source(path)
    kernels = absolute(arguments.kernels)
    inputs = absolute(arguments.input_kernels)
    writer.section('base', [('STOA_ISA', 'base'), ('STOA_INPUT_ISA', 'base')], inputs + kernels)
    input_isa = 'base'
    writer.parts.append('#if defined(__x86_64__)\n')
    for isa, lanes, registers, options, leaves in isas_of(writer.read(root / 'src/base/isa_list.h')):
        input_isa = input_isa if leaves else isa
        writer.parts.append(options_push(options))
        definitions = [('STOA_ISA', isa), ('STOA_INPUT_ISA', input_isa), ('STOA_LANES', lanes), ('STOA_REGISTERS', registers)]
        definitions += [('STOA_INPUT_DECLARED', '1')] if leaves else []
        writer.section(isa, definitions, ([] if leaves else inputs) + kernels)
        writer.parts.append(OPTIONS_POP)
    writer.parts.append('#endif\n')
    writer.source(arguments.dispatch.resolve())
    # Last, because <tgmath.h> turns the names of functions into macros.
    writer.parts.append('#include <tgmath.h>\n')
    for name, real in (('f32', 'float'), ('f64', 'double')):
        writer.section(name, [('STOA_REAL', real), ('STOA_REAL_NAME', name)], absolute(arguments.references),
                       ('tgmath.h',))
    writer.parts.append('#pragma GCC visibility pop\n')
    includes = '\n'.join(f'#include <{name}>' for name in sorted(writer.system))
    top = TOP.replace('{version}', version).replace('{includes}', includes)
    arguments.stoa_c.write_text(licence(root) + top + '\n' + '\n'.join(writer.parts), encoding='utf-8')
    arguments.stoa_h.write_text(public_header(root, version), encoding='utf-8')


if __name__ == '__main__':
    main()

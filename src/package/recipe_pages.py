# SPDX-License-Identifier: MIT
"""Make the tables of the pages about recipes from the tables that recipes are read by, and from the recipes that ship.

Run: recipe_pages.py SOURCE_ROOT RECIPE_TABLES [--check]. RECIPE_TABLES is the program of that name. What stands between a mark
`made: NAME` and the next `end` is written anew; with --check nothing is written, and a page that would change fails.
"""

import json
import pathlib
import re
import subprocess
import sys

PAGES = ('README.md', 'data/recipes/README.md', 'src/cli/stoa-recipe.5')
FRONT = ('mnist-cnn', 'mnist-99', 'mnist-best', 'lenet5', 'vgg-mnist', 'mlp', 'iris-relu')  # of README.md
MOST_WORDS = 4
KINDS = {'layers': 'layer', 'losses of classes': 'loss of classes', 'losses of targets': 'loss of targets'}
MARK = re.compile(r'^(?P<before>(?:<!-- |\.\\" )made: (?P<name>[\w \[\]]+?)(?: -->)?\n)(?P<made>.*?)(?=^(?:<!-- end -->|\.\\" end$))',
                  re.MULTILINE | re.DOTALL)


def recipes(root):
    """Name, title, needs and reaches of each recipe that ships."""
    found = []
    for path in sorted((root / 'data' / 'recipes').glob('*.ini')):
        said = dict(re.findall(r'^(title|needs|reaches) = (.*)$', path.read_text(encoding='utf-8'), re.MULTILINE))
        missing = [key for key in ('title', 'needs', 'reaches') if key not in said]
        if missing:
            sys.exit(f'{path}: found no {missing[0]}, expected a line for people before the first section')
        found.append((path.stem, said['title'], said['needs'], said['reaches']))
    return found


def first_sentence(path, name):
    """What the comment at the head of an operator's file says it is: "NAME: sentence.", which may go on over lines."""
    comment = re.search(rf'^/\* {name}:? (.*?)\*/', path.read_text(encoding='utf-8'), re.MULTILINE | re.DOTALL)
    if not comment:
        sys.exit(f'{path}: found no comment that begins with "{name}: ", expected one that says what it computes')
    paragraph = re.split(r'\n \*\s*\n', comment[1])[0]
    words = re.sub(r'\s+', ' ', re.sub(r'\n \*', ' ', paragraph)).strip()
    # The full stop of "et al." ends no sentence.
    return re.match(r'(.*?)(?:(?<!\bal)\.(?= |$)|$)', words)[1].rstrip(':')


def option_words(option):
    """An option as a recipe writes it: its name alone where it must be given, else with its default, and the other words that it
    takes where they are few."""
    if option['required']:
        return option['name'], []
    others = [word for word in option['choices'] if word != option['default']]
    return f"{option['name']}={option['default']}", others if len(others) < MOST_WORDS else []


class Markdown:
    @staticmethod
    def code(text):
        return f'`{text}`'

    @classmethod
    def options(cls, options):
        cells = []
        for option in options:
            words, others = option_words(option)
            cells.append(cls.code(words) + (' (or ' + ', '.join(map(cls.code, others)) + ')' if others else ''))
        return ', '.join(cells)

    @staticmethod
    def table(heads, rows):
        lines = ['| ' + ' | '.join(heads) + ' |', '|' + '---|' * len(heads)]
        lines += ['| ' + ' | '.join(cell.replace('|', '\\|') for cell in row) + ' |' for row in rows]
        return '\n'.join(lines) + '\n'

    @classmethod
    def entries(cls, head, entries):
        return cls.table((head, 'options and defaults', 'what it is'),
                         [(cls.code(name), cls.options(options), what) for name, options, what in entries])

    @classmethod
    def keys(cls, keys):
        return cls.table(('key', 'default', 'value', 'meaning'),
                         [(cls.code(key['name']), cls.code(key['default']) if key['default'] else 'none', key['expected'],
                           key['meaning']) for key in keys])

    @classmethod
    def recipes(cls, found):
        return cls.table(('recipe', 'what it is', 'needs', 'reaches'), [(cls.code(name), *words) for name, *words in found])


class Mdoc:
    """The same as items of lists of a manual page."""

    @staticmethod
    def words(text):
        # A line that begins with a full stop or an apostrophe would be a macro, and so would a word that is one.
        return re.sub(r"^(?=[.'])", r'\\&', text.replace('\\', r'\e').replace('-', r'\-'), flags=re.MULTILINE)

    @classmethod
    def item(cls, name, lines):
        return f'.It Li {name}\n' + ''.join(cls.words(line) + '\n' for line in lines if line)

    @classmethod
    def options(cls, options):
        cells = []
        for option in options:
            words, others = option_words(option)
            cells.append(words + (f' (or {", ".join(others)})' if others else ''))
        return f'Options: {", ".join(cells)}.' if cells else ''

    @classmethod
    def entries(cls, _, entries):
        return '.Bl -tag -width Ds\n' + ''.join(
            cls.item(name, (what[0].upper() + what[1:] + '.' if not what[1:2] == ' ' else what + '.', cls.options(options)))
            for name, options, what in entries) + '.El\n'

    @classmethod
    def keys(cls, keys):
        return '.Bl -tag -width Ds\n' + ''.join(
            cls.item(key['name'], (key['meaning'][0].upper() + key['meaning'][1:] + '.',
                                   f"Value: {key['expected']}" + (f"; default {key['default']}." if key['default'] else '.')))
            for key in keys) + '.El\n'

    @classmethod
    def recipes(cls, found):
        return '.Bl -tag -width Ds\n' + ''.join(cls.item(name, (f'{title}.', f'Needs {needs}; reaches {reaches}.'))
                                               for name, title, needs, reaches in found) + '.El\n'


def made(name, form, root, tables):
    """The text of one mark."""
    def entries(group, folder, head, kind=None):
        return form.entries(head, [
            (entry['name'], entry['options'], first_sentence(root / 'src' / folder / f"{entry['name']}.c", entry['name']))
            for entry in tables[group] if kind is None or entry['kind'] == kind])

    if name == 'recipes':
        return form.recipes(recipes(root))
    if name == 'recipes of the front page':
        known = {found[0]: found for found in recipes(root)}
        return form.recipes([known[name] for name in FRONT])
    if name == 'keys' or name.startswith('keys of '):
        section = name.removeprefix('keys').removeprefix(' of ')
        return form.keys([key for key in tables['keys'] if key['section'] == section])
    if name in KINDS:
        return entries('operators', 'ops', 'operator' if name == 'layers' else 'loss', KINDS[name])
    if name in ('optimizers', 'schedules'):
        return entries(name, 'train', 'optimiser' if name == 'optimizers' else 'schedule')
    sys.exit(f'found the mark "made: {name}", expected recipes, keys, keys of SECTION, {", ".join(KINDS)}, optimizers or schedules')


def main():
    root = pathlib.Path(sys.argv[1])
    tables = json.loads(subprocess.run([sys.argv[2]], capture_output=True, text=True, check=True).stdout)
    stale = []
    for page in PAGES:
        path = root / page
        old = path.read_text(encoding='utf-8')
        form = Mdoc if page.endswith('.5') else Markdown
        new, count = MARK.subn(lambda found, form=form: found['before'] + made(found['name'], form, root, tables), old)
        if count == 0:
            sys.exit(f'{page}: found no mark "made: NAME", expected at least one')
        if new != old:
            stale.append(page)
            if '--check' not in sys.argv:
                path.write_text(new, encoding='utf-8')
    if '--check' in sys.argv and stale:
        sys.exit(f'{", ".join(stale)}: not what the tables say; run ninja -C build pages')
    print(', '.join(stale) + ': made anew' if stale else 'the pages say what the tables say')


if __name__ == '__main__':
    main()

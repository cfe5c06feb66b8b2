// Checks the pages' scripts, also the one inside index.html: `npm run lint` here, or `python3 dev.py lint`.
import js from '@eslint/js';
import html from 'eslint-plugin-html';
import globals from 'globals';

export default [
  { ignores: ['vendor/', 'samples/'] },
  js.configs.recommended,
  {
    files: ['**/*.html', 'scripts/**/*.js'],
    plugins: { html },
    languageOptions: { globals: globals.browser },
  },
  { files: ['**/*.mjs'], languageOptions: { globals: globals.node } },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error', reportUnusedInlineConfigs: 'error' },
    rules: {
      'array-callback-return': 'error',
      'consistent-return': 'error',
      curly: ['error', 'multi-line'],
      'default-case-last': 'error',
      eqeqeq: 'error',
      'no-console': 'error', // what a person should know is on the page
      'no-constructor-return': 'error',
      'no-eval': 'error',
      'no-implicit-coercion': ['error', { boolean: true, number: true, string: true }],
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-promise-executor-return': 'error',
      'no-restricted-properties': ['error',
        { property: 'innerHTML', message: 'Set textContent: what arrives is text, never markup.' },
        { property: 'outerHTML', message: 'Set textContent: what arrives is text, never markup.' }],
      'no-script-url': 'error',
      'no-self-compare': 'error',
      'no-shadow': 'error',
      'no-throw-literal': 'error',
      'no-unmodified-loop-condition': 'error',
      'no-unreachable-loop': 'error',
      'no-unused-expressions': 'error',
      'no-use-before-define': ['error', { functions: false, classes: false, variables: false }],
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': ['error', { destructuring: 'all' }],
      'prefer-template': 'error',
      radix: 'error',
      'require-atomic-updates': 'error',
      yoda: 'error',
    },
  },
];

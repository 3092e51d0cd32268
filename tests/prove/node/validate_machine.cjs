// asl-validator's faults of a definition: `node validate_machine.cjs <modules> < definition > [faults]`.
const { readFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const validate = createRequire(`${process.argv[2]}/`)('asl-validator')

const found = validate(JSON.parse(readFileSync(0, 'utf8')), { checkArn: true, checkPaths: true })
console.log(JSON.stringify(found.isValid ? [] : [found.errorsText()]))

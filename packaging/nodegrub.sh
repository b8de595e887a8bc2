#!/bin/sh
# Starts nodegrub.js beside it (or beside what it is a link to) with any Node. `make-cache.js` puts its own script in this place, for
# the Node that runs it.
d=$0
[ ! -L "$d" ] || d=$(readlink -f -- "$d")
case $d in */*) d=${d%/*} ;; *) d=. ;; esac
exec node "$d/nodegrub.js" "$@"

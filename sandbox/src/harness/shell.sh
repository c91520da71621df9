# The harness for shell scripts, itself for any POSIX shell. `protocol.rs` says what is read and written; the comments here say
# why it is done so. The script's result is what it prints.

# The script and its children get neither: 3 and 4 are standard output and error.
exec 3>&1 4>&2
LC_ALL=C
here=$(pwd -P)
tab='	'
nl='
'
# What ends the script's whole group, such as `kill 0`, is not meant for us. A signal that is caught is not inherited.
trap : HUP INT TERM
# Taken out of the environment again: nothing here is the script's.
bash=sh
[ -x /bin/bash ] && bash=/bin/bash

# Gone before the script's first command. Not named after the mark: the script sees what its standard input was called.
own=.procos-shell
# Where this fails, so does what is written into it, which is told.
mkdir "$own"
echo ready
IFS= read -r mark || exit 0
IFS= read -r name && read -r script inputs files outputs variables || exit 1
list= asked=
while [ "$files" -gt 0 ]; do IFS= read -r line && list=$list$line$nl files=$((files - 1)) || exit 1; done
while [ "$outputs" -gt 0 ]; do IFS= read -r line && asked=$asked$line$nl outputs=$((outputs - 1)) || exit 1; done
while [ "$variables" -gt 0 ]; do IFS= read -r line && variables=$((variables - 1)) || exit 1; done

# Bash names its messages by the file that it reads, so it reads one of this name: from beside the working directory, into which
# the first line goes before all else. Bash also tells the line of what fails; the last one is in `failed`.
shown=${name##*/}
: "${shown:=script}"
{ { printf 'eval "$PROCOS";' && head -c "$script"; } >"$own/$shown" && head -c "$inputs" >"$own.inputs"; } || {
  asked=
  answer ',"error":{"kind":"exit","message":"the script could not be written into its working directory"}'
}
write_files

PROCOS='cd ..;unset PROCOS OLDPWD;rm -rf '"$own $own.inputs $own.failed"
if [ "$bash" = /bin/bash ]; then
  # Far from the descriptors that scripts number themselves.
  PROCOS=$PROCOS';exec 250>&8 8>&-;trap "echo \$LINENO \$? 2>/dev/null >&250" ERR'
fi
export PROCOS
unset LC_ALL
exec 5<"$own.inputs" 8>"$own.failed" 9<"$own.failed"
(cd "$own" && exec "$bash" -- "$shown" <&5 3>&- 4>&- 5>&- 9<&-)
status=$?
unset PROCOS
LC_ALL=C
cd -- "$here"
# What is wrong with its first line is found before anything is done.
[ -d "$own" ] && rm -rf "$own" "$own.inputs" "$own.failed"
[ "$status" -eq 0 ] && answer ''

line=
said="exit status $status"
if [ "$status" -gt 128 ] && signal=$(kill -l $((status - 128)) 2>/dev/null); then
  said="$said: ended by signal $((status - 128)) ($signal)"
fi
last=$(tail -n 1 <&9 2>/dev/null)
# Another failure is not what it ended by.
[ "${last#* }" = "$status" ] && line=",\"line\":${last% *}"
answer ",\"error\":{\"kind\":\"exit\",\"message\":\"$said\"$line}"

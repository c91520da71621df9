// What is left to do within Scilab when the script is through: its variables as JSON, or its error. Written to a file, which the
// shell around takes. It is defined only now, as a script may well begin with `clear`.
//
// What becomes of a result: 1 x 1 → the value; a row → an array; all other matrices → an array of rows; [] → an empty array;
// struct → object, an array of structs → an array; list → array; int8 to uint64 → numbers; sparse → as full. NaN, Inf, complex
// numbers, functions, polynomials and all else are errors that name the variable.
function procos_finish(status, own)
  answered = "";
  if status <> 0 then
    answered = procos_failed(own);
  else
    try
      answered = ",""result"":" + procos_result(own);
    catch
      message = lasterror();
      if message == [] then message = "the result cannot be told"; end
      answered = procos_error("result", strcat(message, ascii(10)), "null", "");
      if procos_is_memory(message) then answered = answered + ",""limit"":""memory"""; end
    end
  end
  file = mopen(own + "answer.part", "wb");
  mputstr(answered, file);
  mclose(file);
  movefile(own + "answer.part", own + "answer");
endfunction

function said = procos_error(kind, message, line, traceback)
  said = ",""error"":{""kind"":" + procos_strings(kind) + ",""message"":" + procos_strings(message) + ..
    ",""line"":" + line + ",""traceback"":" + procos_strings(traceback) + "}";
endfunction

function yes = procos_is_memory(message)
  yes = or([strindex(strcat(message), "allocat"), strindex(strcat(message), "No more memory")] > 0);
endfunction

function said = procos_failed(own)
  [message, number, line, where] = lasterror();
  text = mgetl(own + "script.sce");
  name = mgetl(own + "name");
  message = stripblanks(message(:));
  told = strcat(message, ascii(10));
  at = 0;
  if line > 0 then
    // A line of one of Scilab's own functions is none of the script's.
    if or(where == ["" "exec"]) then
      at = line;
      told = told + ascii(10) + "at line " + string(line) + " of " + name;
    else
      told = told + ascii(10) + "at line " + string(line) + " of the function " + where;
      if grep(text, "/^\s*(end)?function\b[^(]*\b" + where + "\b/", "r") <> [] then at = line; end
    end
  else
    // What cannot be read is told by its text.
    found = find(stripblanks(text) == message(1));
    if size(found, "*") == 1 then at = found; end
    if at > 0 then told = told + ascii(10) + "at line " + string(at) + " of " + name; end
  end
  number = "null";
  if at > 0 then
    number = string(at);
    if at <= size(text, "*") & told <> "" then told = told + ascii(10) + "    " + stripblanks(text(at)); end
  end
  said = procos_error("", strcat(message, ascii(10)), number, told + ascii(10));
  if procos_is_memory(message) then said = said + ",""limit"":""memory"""; end
endfunction

// The variables of the level above.
function said = procos_result(own)
  names = mgetl(own + "variables");
  if names == [] then
    if procos_is_set("result") then
      said = procos_variable("result");
      return
    end
    names = procos_set(own);
  end
  parts = [];
  for name = names(:)'
    if ~procos_is_set(name) then
      error(msprintf("the script does not set the variable %s, which its result is to hold", name));
    end
    parts = [parts, procos_strings(name) + ":" + procos_variable(name)];
  end
  said = "{" + procos_joined(parts) + "}";
endfunction

function yes = procos_is_set(name)
  yes = or(procos_names == name);
endfunction

function said = procos_variable(name)
  if procos_is_function(name) then error(name + " is a function, which JSON has no word for"); end
  said = procos_json(procos_value(name), name, 0);
endfunction

function yes = procos_is_function(name)
  yes = or(procos_kinds(find(procos_names == name, 1)) == ["function", "fptr", "library", "libraryarray"]);
endfunction

// The value that a name has for the script, whatever is named so here.
function value = procos_value(name)
  value = procos_values(find(procos_names == name, 1));
endfunction

// What the script has set newly, or to another value.
function names = procos_set(own)
  before = mgetl(own + "before");
  names = [];
  for name = procos_names(:)'
    if or(name == ["ans", "procos_status"]) then continue; end
    if procos_is_function(name) then continue; end
    value = procos_value(name);
    if or(before == name) then
      if procos_is_as_given(own, name, value) then continue; end
    end
    names = [names, name];
  end
endfunction

function procos_yes = procos_is_as_given(procos_own, procos_name, procos_other)
  funcprot(0);
  exec(procos_own + "inputs.sce", -1);
  procos_yes = %t;
  if exists(procos_name, "local") then procos_yes = isequal(evstr(procos_name), procos_other); end
endfunction

function said = procos_json(x, at, depth)
  if depth > 100 then error("the result is nested deeper than 100 levels: " + part(at, 1:80)); end
  kind = typeof(x);
  select kind
  case "constant"
    said = procos_rows(procos_numbers(x, at), size(x));
  case "boolean"
    said = emptystr(x) + "false";
    said(x) = "true";
    said = procos_rows(said, size(x));
  case "string"
    said = procos_rows(procos_strings(x), size(x));
  case "st"
    if size(x, "*") == 1 then
      fields = fieldnames(x);
      parts = [];
      for i = 1:size(fields, "*")
        field = fields(i);
        parts = [parts, procos_strings(field) + ":" + procos_json(x(field), at + "." + field, depth + 1)];
      end
      said = "{" + procos_joined(parts) + "}";
    elseif size(x, "*") == 0 then
      said = "{}";
    else
      parts = [];
      for i = 1:size(x, "*")
        parts = [parts, procos_json(x(i), at + "(" + string(i) + ")", depth + 1)];
      end
      said = "[" + procos_joined(parts) + "]";
    end
  case "list"
    parts = [];
    for i = 1:size(x)
      // A hole in a list.
      if type(x(i)) == 0 then
        parts = [parts, "null"];
      else
        parts = [parts, procos_json(x(i), at + "(" + string(i) + ")", depth + 1)];
      end
    end
    said = "[" + procos_joined(parts) + "]";
  case "ce"
    parts = emptystr(size(x, 1), size(x, 2));
    for i = 1:size(x, "*")
      parts(i) = procos_json(x{i}, at + "{" + string(i) + "}", depth + 1);
    end
    said = procos_rows(parts, size(x));
  case "sparse"
    said = procos_json(full(x), at, depth);
  case "boolean sparse"
    said = procos_json(full(x), at, depth);
  case "hypermat"
    said = procos_json(x(:)', at, depth);
  else
    if or(kind == ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]) then
      said = procos_rows(string(x), size(x));
    else
      error(at + " is of the type " + kind + ", which JSON has no word for");
    end
  end
endfunction

// strcat of nothing is [], and anything + [] is [].
function said = procos_joined(parts)
  said = "";
  if parts <> [] then said = strcat(parts, ","); end
endfunction

// Words in the form of a matrix, of any number of dimensions.
function said = procos_rows(words, sizes)
  if size(sizes, "*") > 2 then
    parts = [];
    count = prod(sizes(1:2));
    words = words(:);
    for i = 1:prod(sizes(3:$))
      parts = [parts, procos_rows(matrix(words((i - 1) * count + 1:i * count), sizes(1), sizes(2)), sizes(1:2))];
    end
    said = "[" + procos_joined(parts) + "]";
  elseif prod(sizes) == 0 then
    said = "[]";
  elseif prod(sizes) == 1 then
    said = words;
  elseif sizes(1) == 1 then
    said = "[" + strcat(words, ",") + "]";
  elseif sizes(2) == 1 then
    said = "[" + strcat("[" + words + "]", ",") + "]";
  else
    said = "[" + strcat("[" + strcat(words, ",", "c") + "]", ",") + "]";
  end
endfunction

// As short as they can be said exactly.
function said = procos_numbers(x, at)
  said = [];
  if x == [] then return; end
  if ~isreal(x, 0) then error(at + " is complex, which JSON has no word for"); end
  x = real(x);
  sizes = size(x);
  x = x(:);
  if or(isnan(x)) then error(at + " holds %nan, which JSON has no word for"); end
  if or(isinf(x)) then error(at + " holds %inf, which JSON has no word for"); end
  said = msprintf("%.15g\n", x);
  other = find(strtod(said) <> x);
  if other <> [] then said(other) = msprintf("%.17g\n", x(other)); end
  said = matrix(said, sizes);
endfunction

function said = procos_strings(x)
  said = strsubst(strsubst(x, "\", "\\"), """", "\""");
  codes = ascii(strcat(x(:)));
  for code = unique(codes(codes < 32))
    said = strsubst(said, ascii(code), msprintf("\\u%04x", code));
  end
  said = """" + said + """";
endfunction

procos_names = who("local");
procos_names(grep(procos_names, "/^procos_/", "r")) = [];
procos_values = list();
procos_kinds = emptystr(procos_names);
for procos_i = 1:size(procos_names, "*")
  procos_kinds(procos_i) = evstr("typeof(" + procos_names(procos_i) + ")");
  if or(procos_kinds(procos_i) == ["function", "fptr"]) then
    // To fetch it is to call it.
    procos_values(procos_i) = [];
  else
    procos_values(procos_i) = evstr(procos_names(procos_i));
  end
end
procos_finish(procos_status, procos_own);

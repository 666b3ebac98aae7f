-- Does in Neovim what a person would do, and writes what is to be seen into $FASTCOLLECT_SEEN.
local seen = {}

local function wait(what, condition)
  assert(vim.wait(60000, condition, 20), "never happened: " .. what)
end

local function choose(wanted)
  vim.ui.select = function(items, options, on_choice)
    for index, item in ipairs(items) do
      local text = options.format_item and options.format_item(item) or tostring(item)
      if text:find(wanted, 1, true) then
        return on_choice(item, index)
      end
    end
    error("nothing to choose like " .. wanted)
  end
end

local function symbols(found, into)
  for _, symbol in ipairs(found or {}) do
    table.insert(into, symbol.name)
    symbols(symbol.children, into)
  end
  return into
end

local function lenses(line)
  local titles = {}
  for _, lens in ipairs(vim.lsp.codelens.get(0)) do
    if lens.range.start.line == line and lens.command then
      table.insert(titles, lens.command.title)
    end
  end
  return titles
end

local function diagnostics()
  return vim.tbl_map(function(one)
    return { one.lnum, one.message }
  end, vim.diagnostic.get(0))
end

local ok, trouble = pcall(function()
  vim.cmd("edit test_driven.py")
  wait("a client", function()
    return #vim.lsp.buf_get_clients(0) > 0 or next(vim.lsp.buf_get_clients(0)) ~= nil
  end)
  local params = { textDocument = vim.lsp.util.make_text_document_params() }
  local answers = vim.lsp.buf_request_sync(0, "textDocument/documentSymbol", params, 60000)
  for _, answer in pairs(answers) do
    seen.symbols = symbols(answer.result, {})
  end

  wait("lenses", function() return #lenses(2) > 0 end)
  vim.api.nvim_win_set_cursor(0, { 3, 0 }) -- the line of test_fails
  choose("Run")
  vim.lsp.codelens.run()
  wait("a failure", function() return #diagnostics() > 0 end)
  seen.failed = diagnostics()
  wait("its outcome", function()
    for _, title in ipairs(lenses(2)) do
      if vim.startswith(title, "✗") then return true end
    end
  end)
  seen.lenses = lenses(2)

  vim.api.nvim_win_set_cursor(0, { 7, 0 }) -- inside of test_writes
  choose("Run test_writes")
  vim.lsp.buf.code_action()
  wait("a test that writes", function() return vim.fn.filereadable("written") == 1 end)

  vim.api.nvim_buf_set_lines(0, 3, 4, true, { "    assert 1 == 1" })
  wait("an outdated failure to go", function() return #diagnostics() == 0 end)
  vim.cmd("silent write")
end)
if not ok then
  seen.trouble = tostring(trouble)
end
vim.fn.writefile({ vim.fn.json_encode(seen) }, vim.env.FASTCOLLECT_SEEN)
vim.cmd("qall!")

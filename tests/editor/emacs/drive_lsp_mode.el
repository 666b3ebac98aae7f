;; lsp-mode: symbols by imenu, the test at point by a code action, its failure and its lens.  -*- lexical-binding: t -*-
(load (expand-file-name "drive.el" (file-name-directory load-file-name)))
(require 'lsp-modeline)

(driving
 (setq lsp-auto-guess-root t
       lsp-enable-file-watchers nil
       lsp-restart 'ignore
       lsp-session-file (make-temp-file "lsp-session"))
 (find-file "test_driven.py")
 (wait "a server" (lambda () (and (lsp-workspaces)
                                  (eq 'initialized (lsp--workspace-status (car (lsp-workspaces)))))))
 (see 'symbols
      (vconcat
       (wait "symbols"
             (lambda ()
               (let (names)
                 (cl-labels ((walk (found)
                               (seq-do (lambda (one)
                                         (push (lsp-get one :name) names)
                                         (walk (lsp-get one :children)))
                                       found)))
                   (walk (lsp-request "textDocument/documentSymbol"
                                      (list :textDocument (lsp--text-document-identifier)))))
                 (nreverse names))))))
 (go-to "def test_fails")
 (choosing "Run test_fails"
           (lambda () (call-interactively #'lsp-execute-code-action)))
 (wait "a failure" (lambda () (lsp--get-buffer-diagnostics)))
 (see 'failed (vconcat (mapcar (lambda (one)
                                 (vector (1+ (lsp-get (lsp-get (lsp-get one :range) :start) :line))
                                         (lsp-get one :message)))
                               (lsp--get-buffer-diagnostics))))
 (see 'lenses
      (vconcat
       (wait "its outcome"
             (lambda ()
               (let (titles)
                 (seq-do (lambda (lens)
                           (when (= 2 (lsp-get (lsp-get (lsp-get lens :range) :start) :line))
                             (push (lsp-get (lsp-get lens :command) :title) titles)))
                         (lsp-request "textDocument/codeLens"
                                      (list :textDocument (lsp--text-document-identifier))))
                 (and (> (length titles) 2) (nreverse titles))))))))

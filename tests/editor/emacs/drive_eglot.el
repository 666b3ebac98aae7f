;; Eglot: symbols by imenu, the test at point by a code action, its failure by flymake.  -*- lexical-binding: t -*-
(load (expand-file-name "drive.el" (file-name-directory load-file-name)))

(driving
 (remove-hook 'python-mode-hook #'eglot-ensure) ; waits for a command loop, which there is none of
 (find-file "test_driven.py")
 (let ((eglot-sync-connect 60))
   (apply #'eglot--connect (eglot--guess-contact)))
 (wait "a server" #'eglot-current-server)
 (see 'symbols
      (vconcat
       (wait "symbols"
             (lambda ()
               (let (names)
                 (cl-labels ((walk (found)
                               (dolist (one found)
                                 (push (car one) names)
                                 (when (consp (cdr one)) (walk (cdr one))))))
                   (walk (eglot-imenu)))
                 (nreverse names))))))
 (go-to "def test_fails")
 (choosing "Run test_fails"
           (lambda () (eglot-code-actions (point) (point) nil t)))
 (wait "a failure" (lambda () (accept-process-output nil 0.1) (flymake-start) (flymake-diagnostics)))
 (see 'failed (vconcat (mapcar (lambda (one)
                                 (vector (line-number-at-pos (flymake-diagnostic-beg one))
                                         (flymake-diagnostic-text one)))
                               (flymake-diagnostics)))))

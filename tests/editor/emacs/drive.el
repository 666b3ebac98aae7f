;; Does in Emacs what a person would do, and writes what is to be seen into $FASTCOLLECT_SEEN.  -*- lexical-binding: t -*-
(require 'cl-lib)
(require 'json)

(defvar seen nil)

(defun see (key value) (push (cons key value) seen))

(defun wait (what condition)
  "Wait for CONDITION, a function; WHAT it is."
  (let ((deadline (time-add nil 60)) value)
    (while (not (setq value (funcall condition)))
      (when (time-less-p deadline nil) (error "never happened: %s" what))
      (accept-process-output nil 0.02))
    value))

(defun choosing (wanted work)
  "Call WORK; where a person would have to choose, something with WANTED in it is chosen."
  (cl-letf (((symbol-function 'completing-read)
             (lambda (_prompt collection &rest _)
               (or (cl-find-if (lambda (one) (string-search wanted one))
                               (all-completions "" collection))
                   (error "nothing to choose like %s" wanted)))))
    (let ((last-nonmenu-event ?\r)) ; not the mouse
      (funcall work))))

(defun go-to (text)
  (goto-char (point-min))
  (search-forward text))

(defun write-seen ()
  (with-temp-file (getenv "FASTCOLLECT_SEEN")
    (insert (json-encode seen))))

(defmacro driving (&rest body)
  `(progn
     (condition-case trouble (progn ,@body)
       (error (see 'trouble (format "%S" trouble))))
     (write-seen)
     (kill-emacs 0)))

/** Debugging: a run that waits for us at a port, where debugpy speaks the Debug Adapter Protocol. */

import * as vscode from "vscode";
import type { RunView } from "./runView";
import { readSettings } from "./settings";
import type { DebugAddress } from "./wire";

/** Of our own, so that no other extension has to be there. */
export const DEBUG_TYPE = "fastcollect";

/** Has sessions of our type connect to where they are told. */
export function registerDebugging(): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, {
      createDebugAdapterDescriptor({ configuration }) {
        const { host, port } = configuration["connect"] as DebugAddress;
        return new vscode.DebugAdapterServer(port, host);
      },
    }),
    // A process that the test starts is a session of its own, below this one.
    vscode.debug.onDidReceiveDebugSessionCustomEvent(async ({ session, event, body }) => {
      if (session.type === DEBUG_TYPE && event === "debugpyAttach") {
        const configuration = { ...(body as vscode.DebugConfiguration), type: DEBUG_TYPE };
        await vscode.debug.startDebugging(session.workspaceFolder, configuration, {
          parentSession: session,
        });
      }
    }),
  );
}

/**
 * Debugs a run that is waiting. The session ends with the run; a session that the user ends takes the run
 * with it.
 */
export async function debugRun(
  view: RunView,
  connect: DebugAddress,
  folder: vscode.WorkspaceFolder,
  cancel: () => Promise<void>,
): Promise<void> {
  const token = `${connect.host}:${connect.port}`;
  let session: vscode.DebugSession | undefined;
  const isOurs = (one: vscode.DebugSession): boolean =>
    one.type === DEBUG_TYPE && one.configuration["fastcollectRun"] === token;
  const listeners = vscode.Disposable.from(
    vscode.debug.onDidStartDebugSession((one) => {
      if (isOurs(one)) {
        session = one;
      }
    }),
    vscode.debug.onDidTerminateDebugSession((one) => {
      if (isOurs(one) && !view.isOver) {
        void cancel();
      }
    }),
  );
  void view.ended.then(async () => {
    listeners.dispose();
    if (session !== undefined) {
      await vscode.debug.stopDebugging(session);
    }
  });
  const begun = await vscode.debug.startDebugging(
    folder,
    {
      type: DEBUG_TYPE,
      name: "pytest",
      request: "attach",
      connect,
      justMyCode: readSettings(folder).justMyCode,
      // What serves a run warm stands below it on the stack, and is nobody's concern.
      rules: ["pytest_fastcollect", "fastcollect_lsp"].map((module) => ({
        module,
        include: false,
      })),
      fastcollectRun: token,
    },
    { testRun: view.run },
  );
  if (!begun) {
    await cancel();
  }
}

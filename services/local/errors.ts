/** What to say of a failed call of the system. */

const REASONS: Readonly<Record<string, string>> = {
  EROFS: 'read-only file system',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'disk quota exceeded',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'a file has that name',
  EBUSY: 'it is a mount point; use a folder inside it',
}

/** The code of a failed system call, such as ENOENT; '' for any other error. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** One clear line for a failed call of the file system. */
export function explain(what: string, error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error)
  const [line = ''] = message.split('\n')
  return new Error(`${what}: ${REASONS[codeOf(error)] ?? line}`, { cause: error })
}

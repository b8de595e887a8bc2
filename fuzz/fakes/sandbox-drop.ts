export const NOBODY = 65534;
export const dropPrivileges = (): string => 'the harness';

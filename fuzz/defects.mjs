export const DEFECTS = [];

// Knobs under pressure: from where a method was set to the tightest value that it is compared at.

/** The part of every stage's budget that a knob needs. */
export interface KnobRange {
  readonly knob: string;
  /** Values worth comparing, tight to wide. */
  readonly sweep: readonly number[];
}

/**
 * Value of a knob under pressure.
 * @param given what the option was set to
 * @param pressure 0: as given; 1: the tightest of the sweep, or as given where that is tighter
 */
export function knobAt({ sweep }: KnobRange, given: number, pressure: number): number {
  const [tight = given, ...wider] = sweep;
  const wide = wider.at(-1) ?? tight;
  const isTighter = tight < wide ? given <= tight : given >= tight;
  if (isTighter) return given;
  const value = given + (tight - given) * pressure;
  // Numbers of things stay whole.
  return Number.isInteger(given) && sweep.every(Number.isInteger) ? Math.round(value) : value;
}

/** A knob that is turned only when its value is a new one. */
export class Knob {
  readonly #range: KnobRange | undefined;
  readonly #given: number;
  readonly #turn: (value: number) => void;
  #value: number;

  /** @param options the method's, with defaults filled in */
  constructor(range: KnobRange | undefined, options: Readonly<Record<string, unknown>>, turn: (value: number) => void) {
    const given = range && options[range.knob];
    this.#range = typeof given === 'number' ? range : undefined;
    this.#given = typeof given === 'number' ? given : 0;
    this.#value = this.#given;
    this.#turn = turn;
  }

  press(pressure: number): void {
    if (!this.#range) return;
    const value = knobAt(this.#range, this.#given, pressure);
    if (value === this.#value) return;
    this.#value = value;
    this.#turn(value);
  }
}

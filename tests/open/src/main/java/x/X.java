package x;

import org.procos.tests.Witness;

/** The bean {@code x}: whatever an expression or a script calls of it is seen. */
public final class X {
  /** What the mutated models call: {@code ${x.y()}}. Gives a text that most places can make something of. */
  public String y() {
    Witness.saw("x.y() was called");
    return "1";
  }

  /** Reading that is allowed is not seen: the clean model asks for it. */
  public int size() {
    return 0;
  }

  /** What {@code ${x[y]}} reads with the variable {@code y} saying {@code secret}. */
  public String getSecret() {
    Witness.saw("x.secret was read");
    return "1";
  }
}

package org.procos.engine;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;

/** The contract on H2 in a file. */
class OnH2IT extends EngineContract {
  @TempDir
  static Path directory;

  @Override
  Map<String, Object> database() {
    return Map.of("url", "jdbc:h2:file:" + directory.resolve("engine"));
  }
}

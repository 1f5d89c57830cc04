package io.trainingday.djl;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/**
 * The code that a class is made of: its own, and that of the classes it names, and so on. A change
 * in a helper changes what a transform makes as surely as a change in the transform.
 *
 * <p>Classes in folders and in the jar of the class itself count one by one, other jars as a whole,
 * by the checksums of their entries. Left out are Java, DJL and this library: their versions stand
 * for them. Classes that are only named in text, such as services, are not found. Where classes lie
 * and when they were compiled does not matter.
 */
final class CodeDigest {
  private static final String SUFFIX = ".class";

  private final ClassLoader loader;
  private final @Nullable String ours;
  private final Map<String, byte[]> found = new TreeMap<>();
  private final Set<String> seen = new HashSet<>();
  private final Deque<String> open = new ArrayDeque<>();

  private CodeDigest(ClassLoader loader) {
    this.loader = loader;
    this.ours = folderOrJar(CodeDigest.class.getClassLoader(), name(CodeDigest.class));
  }

  /**
   * Adds the code of a class.
   *
   * @return false if the class itself is not to be found
   */
  static boolean update(MessageDigest digest, Class<?> type) throws IOException {
    ClassLoader own = type.getClassLoader();
    CodeDigest code = new CodeDigest(own == null ? ClassLoader.getSystemClassLoader() : own);
    if (!code.collect(name(type))) {
      return false;
    }
    code.found.forEach(
        (name, content) -> {
          digest.update(name.getBytes(StandardCharsets.UTF_8));
          digest.update((byte) 0);
          digest.update(content);
        });
    return true;
  }

  private boolean collect(String first) throws IOException {
    String home = folderOrJar(loader, first);
    if (home == null) {
      return false;
    }
    open.add(first);
    seen.add(first);
    for (String name; (name = open.poll()) != null; ) {
      URL place = Objects.requireNonNull(resource(loader, name));
      String where = folderOrJar(loader, name);
      File jar = home.equals(where) ? null : jarFile(place);
      if (jar == null) {
        byte[] bytes = bytes(place);
        found.put(name, Sha256.of(bytes));
        named(bytes).stream().filter(this::isOfInterest).filter(seen::add).forEach(open::add);
      } else if (seen.add(jar.getPath())) {
        byte[] content = content(jar);
        found.put("jar " + Sha256.hex(content), content);
      }
    }
    return true;
  }

  /** A class that was there when it was compiled against, but is not now, cannot run either. */
  private boolean isOfInterest(String name) {
    if (name.startsWith("[")
        || name.startsWith("ai/djl/")
        || resource(ClassLoader.getPlatformClassLoader(), name) != null) {
      return false;
    }
    String where = folderOrJar(loader, name);
    return where != null && !where.equals(ours);
  }

  private static String name(Class<?> type) {
    return type.getName().replace('.', '/');
  }

  private static @Nullable URL resource(ClassLoader from, String name) {
    return from.getResource(name + SUFFIX);
  }

  /** The address of the folder or jar that a class lies in; null if it lies nowhere. */
  private static @Nullable String folderOrJar(ClassLoader from, String name) {
    URL place = resource(from, name);
    if (place == null) {
      return null;
    }
    String text = place.toString();
    return text.substring(0, text.length() - name.length() - SUFFIX.length());
  }

  private static @Nullable File jarFile(URL place) throws IOException {
    URLConnection connection = place.openConnection();
    if (connection instanceof JarURLConnection inJar) {
      File file = new File(inJar.getJarFileURL().getPath());
      return file.isFile() ? file : null;
    }
    return null;
  }

  private static byte[] bytes(URL place) throws IOException {
    URLConnection connection = place.openConnection();
    connection.setUseCaches(false);
    try (InputStream in = connection.getInputStream()) {
      return in.readAllBytes();
    }
  }

  /** Names and checksums of what a jar holds, without when and by what it was packed. */
  private static byte[] content(File jar) throws IOException {
    MessageDigest digest = Sha256.start();
    try (ZipFile zip = new ZipFile(jar)) {
      List<? extends ZipEntry> entries = new ArrayList<>(zip.stream().toList());
      entries.sort(Comparator.comparing(ZipEntry::getName));
      for (ZipEntry entry : entries) {
        if (!entry.isDirectory() && !entry.getName().startsWith("META-INF/")) {
          String line =
              String.format(
                  Locale.ROOT, "%s %d %x\n", entry.getName(), entry.getSize(), entry.getCrc());
          digest.update(line.getBytes(StandardCharsets.UTF_8));
        }
      }
    }
    return digest.digest();
  }

  /** The classes that a class file names, as its constant pool has them (JVMS 4.4). */
  private static List<String> named(byte[] classFile) throws IOException {
    DataInputStream in = new DataInputStream(new ByteArrayInputStream(classFile));
    in.skipNBytes(8); // magic, version
    int count = in.readUnsignedShort();
    String[] texts = new String[count];
    List<Integer> classes = new ArrayList<>();
    for (int i = 1; i < count; i++) {
      int tag = in.readUnsignedByte();
      switch (tag) {
        case 1 -> texts[i] = in.readUTF();
        case 7 -> classes.add(in.readUnsignedShort());
        case 8, 16, 19, 20 -> in.skipNBytes(2);
        case 15 -> in.skipNBytes(3);
        case 3, 4, 9, 10, 11, 12, 17, 18 -> in.skipNBytes(4);
        case 5, 6 -> {
          in.skipNBytes(8);
          i++; // Two entries each.
        }
        default -> throw new IOException("constant of kind " + tag + " in a class file");
      }
    }
    return classes.stream().map(at -> texts[at]).toList();
  }
}
